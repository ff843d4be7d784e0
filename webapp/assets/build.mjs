// Bundles every page's script and the one style sheet into webapp/static/built.
import * as esbuild from "esbuild";

const options = {
  entryPoints: {
    theme: "src/theme.ts",
    app: "src/app.ts",
    overview: "src/overview.ts",
    node: "src/node.ts",
    add: "src/add.ts",
    services: "src/services.ts",
    style: "css/style.css",
    favicon: "img/favicon.svg",
  },
  outdir: "../static/built",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  loader: { ".woff2": "file", ".svg": "copy" },
  assetNames: "[name]-[hash]",
  logLevel: "warning",
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
}
