//! One step on one host: waits for those before it, and does it.

use super::Place;
use super::board::{Board, State};
use super::program;
use crate::journal::At;
use crate::lab::{Lab, LabError};
use crate::ping::Ping;
use crate::scenario::Step;
use levada_link::Library;
use std::time::Duration;

pub(super) fn run(lab: &Lab, step: &Step, index: usize, host: &str, board: &Board, place: &Place<'_>) {
    let set = |state| board.set(&step.name, host, state);
    while !step.after.iter().all(|name| board.is_ready(name)) {
        if board.is_stopping(step.stop.order) || board.has_failed() {
            // What was never begun is done, where it had no time; a failure has been told already.
            return set(State::Done);
        }
        board.wait(Duration::from_millis(50));
    }
    // Steps that wait for nothing begin in their order.
    std::thread::sleep(Duration::from_micros(200) * index as u32);
    if board.has_failed() {
        return set(State::Done);
    }
    set(State::Running);
    let done = match &step.cmd {
        Some(command) => program::run(lab, step, command, host, board, place),
        None => measure(lab, step, host, board).map_err(|why| crate::told(&why)),
    };
    match done {
        Ok(()) => set(State::Done),
        Err(why) => {
            let what = if host.is_empty() { step.name.clone() } else { format!("{} on {host}", step.name) };
            board.fail(&what, why);
            set(State::Failed);
        }
    }
}

/// The name of a metric of a step: with the host where there are several.
pub(super) fn metric(step: &Step, host: &str, name: &str) -> String {
    match step.hosts().len() {
        0 | 1 => format!("{}.{name}", step.name),
        _ => format!("{}@{host}.{name}", step.name),
    }
}

fn measure(lab: &Lab, step: &Step, host: &str, board: &Board) -> Result<(), LabError> {
    let set = |name: &str, value: f64| board.metric(metric(step, host, name), value);
    if let Some(table) = &step.ping {
        let ping = Ping { count: table.count, interval: table.interval, size: table.size, ..Ping::default() };
        let answers = lab.ping(host, &table.to, ping, |_| !board.is_stopping(step.stop.order))?;
        let [least, mean, most, deviation] = answers.round_trip().map(|ms| ms / 1e3);
        set("sent", answers.sent.into());
        set("received", answers.rtts.len() as f64);
        set("loss", answers.loss());
        for (name, value) in [("min", least), ("mean", mean), ("max", most), ("mdev", deviation)] {
            set(&format!("rtt.{name}"), value);
        }
        return Ok(());
    }
    if let Some(table) = &step.throughput {
        set("estimate", lab.estimate(host, &table.to, table.size)?.rate());
        let transfer = lab.transfer(host, &table.to, table.time)?;
        set("rate", transfer.rate());
        set("bytes", transfer.bytes as f64);
        return Ok(());
    }
    let at = At { t: Duration::ZERO, link: step.link.clone(), tc: step.tc.clone() };
    lab.apply(&at, Library::EMPTY).map(drop)
}
