import org.apache.solr.embedded.JettyConfig;
import org.apache.solr.embedded.JettySolrRunner;

/** Serves the Solr home args[0] at http://127.0.0.1:args[1]/solr until it is told to end. */
public class Start {
  public static void main(String[] args) throws Exception {
    JettyConfig config =
        JettyConfig.builder().setPort(Integer.parseInt(args[1])).setContext("/solr").build();
    JettySolrRunner solr = new JettySolrRunner(args[0], config);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(solr)));
    solr.start();
  }

  private static void stop(JettySolrRunner solr) {
    try {
      solr.stop();
    } catch (Exception error) {
      error.printStackTrace();
    }
  }
}
