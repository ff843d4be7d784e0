/* Every interface between Picket's processes that needs an answer now. Framed binary protocol over TCP.
 * `account_id` comes first in every call and always from an authenticated key or session, never from a payload.
 * Times are milliseconds since the epoch.
 * Every method may be called twice with the effect of once: clients ask the next endpoint when one does not answer. */

namespace py picket

exception Refused {          // final: the same call will fail again. code: a word such as "bad_key", "unknown_node"
  1: string code
  2: string message
}

exception Unavailable {      // passing: the service or what it needs is away; try again, or elsewhere
  1: string message
}

struct Context {             // travels with every call
  1: string correlation_id
  2: i64 timeout_ms          // how long the caller waits from now on, by its own clock; 0 = for ever
}

struct Hello {               // what an agent says of itself; see agent/wire.py
  1: string key
  2: string secret
  3: i32 protocol            // 1 or 2
  4: string version          // the agent's
  5: string host
  6: string platform
  7: string machine          // machine id; empty in protocol 1
  8: string node             // "" at the first hello
  9: string node_secret
  10: string address         // the peer's IP address as the gateway saw it
}

struct Welcome {
  1: string account_id
  2: string node_id
  3: string node_secret      // "" unless it was made now
}

struct Assignment {
  1: string check
  2: string key
  3: string params           // JSON object
  4: i32 interval_s
}

service Directory {
  Welcome hello(1: Context context, 2: Hello hello) throws (1: Refused refused, 2: Unavailable unavailable)
  list<Assignment> assignments(1: string account_id, 2: Context context, 3: string node_id) throws (1: Refused refused, 2: Unavailable unavailable)
}

struct Query {
  1: string check
  2: string key
  3: list<string> metrics    // empty = all
  4: i64 start_ms
  5: i64 end_ms
  6: i32 max_points          // 0 = every point
}

struct Column {
  1: string name
  2: string kind             // int, float, gauge, string
  3: binary values           // float64 little-endian, NaN = gap
  4: binary minimum          // same; empty unless reduced
  5: binary maximum
  6: list<string> texts      // of a string metric
}

struct Series {
  1: binary times            // int64 little-endian
  2: list<Column> columns
  3: string resolution
}

struct Metric {
  1: string name
  2: string kind             // int, float, gauge, string
  3: string value            // as text: repr of the number, or the string
}

struct CheckState {
  1: string check
  2: string key
  3: string state            // ok, warn, err, unknown
  4: string status
  5: i64 time_ms
  6: list<Metric> metrics
}

struct Rank {                // one metric of many nodes: their order, and what they are together
  1: list<string> node_ids   // at most 5000
  2: string check
  3: string key
  4: string metric
  5: i64 start_ms            // hours that the range touches count, five minutes of one below a day; of "latest" what came since
  6: i64 end_ms
  7: string by               // the value of a node: mean, min, max, sum or count of its hours; Live: latest
  8: i32 limit               // how many of the greatest; at most 1000
  9: bool ascending          // of the least instead
  10: list<double> percentiles
}

struct NodeValue {
  1: string node_id
  2: double value
}

struct Ranked {
  1: list<NodeValue> top
  2: i32 counted             // nodes that have a value; what follows is of all of them
  3: double total
  4: double mean             // NaN if there are none
  5: list<double> percentiles // in the order of the question
}

struct Across {              // one metric of many nodes over time
  1: list<string> node_ids   // at most 5000
  2: string check
  3: string key
  4: string metric
  5: i64 start_ms
  6: i64 end_ms
  7: string by               // a node's value in a point: mean, min, max, sum or count
  8: i32 max_points          // at most 2000
  9: list<double> percentiles
}

struct Spread {              // points, all of them; of each all nodes that have a value there
  1: binary times            // int64 little-endian
  2: binary counts           // the same: how many nodes have a value
  3: binary total            // float64 little-endian, NaN = none has; so are the others
  4: binary mean
  5: binary least
  6: binary greatest
  7: list<binary> percentiles // in the order of the question
  8: string resolution
  9: bool due_are_in         // whether hours that no pass has taken in yet count; of over 100 they do not
}

service TimeSeries {
  Series query(1: string account_id, 2: Context context, 3: string node_id, 4: Query query) throws (1: Refused refused, 2: Unavailable unavailable)
  list<Series> query_many(1: string account_id, 2: Context context, 3: string node_id, 4: list<Query> queries) throws (1: Refused refused, 2: Unavailable unavailable)  // at most 64
  list<CheckState> latest(1: string account_id, 2: Context context, 3: string node_id) throws (1: Refused refused, 2: Unavailable unavailable)
  Ranked rank(1: string account_id, 2: Context context, 3: Rank rank) throws (1: Refused refused, 2: Unavailable unavailable)
  Spread across(1: string account_id, 2: Context context, 3: Across across) throws (1: Refused refused, 2: Unavailable unavailable)
}

struct NodeSnapshot {
  1: string node_id
  2: i64 time_ms             // of its newest frame
  3: i64 received_ms
  4: list<CheckState> checks
}

service Live {
  Ranked rank(1: string account_id, 2: Context context, 3: Rank rank) throws (1: Refused refused, 2: Unavailable unavailable)  // by "latest"
  list<NodeSnapshot> snapshot(1: string account_id, 2: Context context, 3: list<string> node_ids) throws (1: Refused refused, 2: Unavailable unavailable)
}
