//! Who did what when, in the trace-event format that Perfetto and the tracing page of Chromium read:
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>. Complete events (`X`), times in microseconds.

use gradus_graph::Profile;
use serde_json::{Value, json};
use std::time::Instant;

/// The only process.
const PROCESS: u32 = 1;

/// Steps as a trace: a track for every thread; on the first one each step with its kernels inside. `first` is the number of the first
/// step.
pub fn events(title: &str, first: usize, steps: &[Profile]) -> Value {
    let spans = || steps.iter().flat_map(|step| step.threads.iter().flatten());
    let origin = spans().map(|span| span.start).min();
    let micros = |from: Instant, to: Instant| to.duration_since(from).as_nanos() as f64 / 1e3;
    let us = |at: Instant| origin.map_or(0.0, |origin| micros(origin, at));
    let threads = steps.iter().map(|step| step.threads.len()).max().unwrap_or(0);
    let mut events = vec![json!({ "ph": "M", "pid": PROCESS, "name": "process_name", "args": { "name": title } })];
    events.extend((0..threads).map(|i| {
        json!({ "ph": "M", "pid": PROCESS, "tid": i + 1, "name": "thread_name", "args": { "name": format!("thread {}", i + 1) } })
    }));
    for (number, step) in steps.iter().enumerate() {
        let all = || step.threads.iter().flatten();
        if let (Some(start), Some(end)) = (all().map(|span| span.start).min(), all().map(|span| span.end).max()) {
            events.push(json!({
                "ph": "X", "pid": PROCESS, "tid": 1, "cat": "step", "name": format!("step {}", first + number + 1),
                "ts": us(start), "dur": micros(start, end),
            }));
        }
        for (i, own) in step.threads.iter().enumerate() {
            for span in own {
                let kernel = &step.kernels[span.instr];
                events.push(json!({
                    "ph": "X", "pid": PROCESS, "tid": i + 1, "cat": "kernel", "name": kernel.label,
                    "ts": us(span.start), "dur": micros(span.start, span.end),
                    "args": {
                        "layer": kernel.path, "kernel": span.instr, "operations": kernel.operations, "bytes": kernel.bytes,
                    },
                }));
            }
        }
    }
    json!({ "displayTimeUnit": "ns", "traceEvents": events })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::tests::kernel;
    use gradus_kernels::Span;
    use std::time::Duration;

    #[test]
    fn every_span_is_an_event_of_its_thread() {
        let start = Instant::now();
        let span = |instr, from: u64, to: u64| Span {
            instr,
            start: start + Duration::from_nanos(from),
            end: start + Duration::from_nanos(to),
        };
        let kernels = vec![kernel("a \"quoted\" \\ name\n", "dense", 1, 2, 3), kernel("guard", "", 1, 0, 4)];
        let threads = vec![vec![span(0, 1000, 2500), span(1, 2500, 2600)], vec![span(0, 1250, 3000)]];
        let trace = events("digits", 7, &[Profile { kernels, threads }]);
        let read: Value = serde_json::from_str(&trace.to_string()).unwrap();
        let events = read["traceEvents"].as_array().unwrap();
        let complete: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
        let figures: Vec<_> = complete
            .iter()
            .map(|e| (e["tid"].as_u64().unwrap(), e["ts"].as_f64().unwrap(), e["dur"].as_f64().unwrap()))
            .collect();
        assert_eq!(figures, [(1, 0.0, 2.0), (1, 0.0, 1.5), (1, 1.5, 0.1), (2, 0.25, 1.75)]);
        assert_eq!(complete[0]["name"], "step 8");
        assert_eq!(
            (&complete[1]["name"], &complete[1]["args"]["layer"]),
            (&"a \"quoted\" \\ name\n".into(), &"dense".into())
        );
        let names = events.iter().filter(|event| event["name"] == "thread_name");
        assert_eq!(names.map(|event| event["tid"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
        assert!(super::events("none", 0, &[]).is_object());
    }
}
