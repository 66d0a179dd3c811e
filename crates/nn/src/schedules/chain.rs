//! Several schedules, one after the other.

use super::{AnySchedule, Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Several schedules, one after the other: `chain = { parts = [{ constant = {} }, { cosine = {} }], boundaries = [5] }`. As SequentialLR of
/// PyTorch.
///
/// Each counts its time from its own start, and what lasts the whole run lasts until the next one begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chain {
    /// The schedules in order.
    pub parts: Vec<AnySchedule>,
    /// When the second, the third and so on begin: one less than parts.
    pub boundaries: Vec<f64>,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { parts: vec![AnySchedule::default()], boundaries: vec![] }
    }
}

impl Config for Chain {
    fn examples() -> Vec<Chain> {
        use super::{Constant, Cosine, StepDecay};
        let parts = vec![Constant::default().into(), Cosine::default().into(), StepDecay::default().into()];
        vec![Chain::default(), Chain { parts, boundaries: vec![1.0, 3.0] }]
    }
}

impl Chain {
    /// What `of` says of the part whose turn it is.
    fn joined(&self, clock: &Clock, of: impl Fn(&AnySchedule, &Clock) -> Node) -> Node {
        let mut start = 0.0;
        let mut value: Option<Node> = None;
        for (i, part) in self.parts.iter().enumerate() {
            let own = clock.after(start);
            let end = self.boundaries.get(i);
            let next = of(part, &end.map_or(own.clone(), |end| own.lasting(end - start)));
            value = Some(match value {
                Some(before) => clock.reached(start).select(next, before),
                None => next,
            });
            start = end.copied().unwrap_or(start);
        }
        value.unwrap_or_else(|| clock.graph().scalar(0.0))
    }
}

impl Schedule for Chain {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        self.joined(clock, |part, clock| part.rate(base, clock))
    }

    fn check(&self) -> Result<(), ShapeError> {
        let Some(parts) = self.parts.len().checked_sub(1) else {
            return Err(ShapeError::new("at least one schedule in `parts`", "none", "name the schedules in order"));
        };
        if parts > 0 {
            check::rising("boundaries", &self.boundaries)?;
        }
        if self.boundaries.len() != parts {
            let expected = format!("{parts} `boundaries` for {} parts", self.parts.len());
            let received = self.boundaries.len().to_string();
            return Err(ShapeError::new(expected, received, "give one boundary less than parts"));
        }
        for part in &self.parts {
            part.check()?;
            if part.plateau().is_some() || matches!(part, AnySchedule::OneCycle(one) if one.cycle_momentum) {
                let help = "use it alone or after `warm_up`; for `one_cycle` set `cycle_momentum = false`";
                let expected = "parts that neither wait for a watched value nor move the momentum";
                return Err(ShapeError::new(expected, part.key(), help));
            }
        }
        Ok(())
    }
}
