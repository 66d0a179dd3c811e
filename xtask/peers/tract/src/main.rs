//! Times predictions of ONNX models by tract: reads the points as JSON from standard input and prints a line of JSON for each. They are described
//! in xtask/src/bench/onnx.rs.

use serde::Deserialize;
use std::time::{Duration, Instant};
use tract_onnx::prelude::*;

#[derive(Deserialize)]
struct Order {
    seconds: f64,
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    name: String,
    file: String,
    batch: usize,
    shape: Vec<usize>,
}

fn main() -> TractResult<()> {
    let order: Order = serde_json::from_reader(std::io::stdin())?;
    for point in &order.points {
        let shape: TVec<usize> = [point.batch].into_iter().chain(point.shape.iter().copied()).collect();
        let x = Tensor::zero::<f32>(&shape)?;
        let start = Instant::now();
        let model = tract_onnx::onnx()
            .model_for_path(&point.file)?
            .with_input_fact(0, f32::fact(&shape).into())?
            .into_optimized()?
            .into_runnable()?;
        let input: TValue = x.into();
        model.run(tvec!(input.clone()))?;
        let load = start.elapsed().as_secs_f64() * 1e3;
        let (mut n, warm) = (1, Instant::now());
        while warm.elapsed() < Duration::from_secs_f64(order.seconds / 3.0) {
            let start = Instant::now();
            (0..n).try_for_each(|_| model.run(tvec!(input.clone())).map(drop))?;
            if start.elapsed() < Duration::from_millis(20) {
                n *= 2;
            }
        }
        let (mut us, begin) = (vec![], Instant::now());
        while begin.elapsed() < Duration::from_secs_f64(order.seconds) || us.len() < 5 {
            let start = Instant::now();
            (0..n).try_for_each(|_| model.run(tvec!(input.clone())).map(drop))?;
            us.push(start.elapsed().as_secs_f64() / n as f64 * 1e6);
        }
        us.sort_by(f64::total_cmp);
        let at = |share: f64| us[((us.len() - 1) as f64 * share).round() as usize];
        let answer = serde_json::json!({
            "lib": "tract", "point": point.name, "us": at(0.5), "p10": at(0.1), "p90": at(0.9), "cpu": 0.0, "load_ms": load
        });
        println!("{answer}");
    }
    Ok(())
}
