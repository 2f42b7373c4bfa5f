//! LATENCY.

use super::Call;
use crate::latency::Series;
use crate::server::unix_ms;
use moonshard_engine::Error;
use moonshard_engine::command::{CommandId, CommandTable};
use moonshard_engine::keyspace::Latencies;
use moonshard_protocol::Reply;
use std::fmt::Write;

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You \
may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space \
mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";
const NOTHING_SEEN: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the \
slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";
const SEEN: &str = "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do \
you Dave?\n\n";
const ADVICE: &str = "\nI have a few advices for you:\n\n\
- Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please check \
https://redis.io/commands/slowlog for more information.\n\
- Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have very \
large objects that are often deleted, expired, or evicted, try to fragment those objects into multiple smaller \
objects.\n";

impl Call<'_, '_> {
    pub(super) fn latency_latest(&mut self) -> Result<(), Error> {
        let events = self.server.latency.events();
        self.reply.array(events.len());
        for (name, series) in events {
            let Some(last) = series.samples.last() else { continue };
            self.reply.array(4);
            self.reply.bulk(name.as_bytes());
            self.reply.int(last.unix_seconds as i64);
            self.reply.int(last.millis as i64);
            self.reply.int(series.millis_max as i64);
        }
        Ok(())
    }

    fn series(&self, name: &[u8]) -> Option<Series> {
        let mut events = self.server.latency.events().into_iter();
        events.find(|(event, _)| event.as_bytes() == name).map(|(_, series)| series)
    }

    pub(super) fn latency_history(&mut self) -> Result<(), Error> {
        let samples = self.series(self.args.raw(2)).map(|series| series.samples).unwrap_or_default();
        self.reply.array(samples.len());
        for sample in samples {
            self.reply.array(2);
            self.reply.int(sample.unix_seconds as i64);
            self.reply.int(sample.millis as i64);
        }
        Ok(())
    }

    pub(super) fn latency_reset(&mut self) -> Result<(), Error> {
        let events = self.args.from(2);
        let reset = match events {
            [] => self.server.latency.reset(None),
            events => events.iter().map(|event| self.server.latency.reset(Some(event))).sum(),
        };
        self.reply.count(reset);
        Ok(())
    }

    pub(super) fn latency_graph(&mut self) -> Result<(), Error> {
        let name = self.args.raw(2);
        let Some(series) = self.series(name) else {
            let mut line = b"ERR No samples available for event '".to_vec();
            line.extend_from_slice(name);
            line.push(b'\'');
            return Err(Error::bytes(line));
        };
        let text = graph(&String::from_utf8_lossy(name), &series, unix_ms() / 1000);
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }

    pub(super) fn latency_doctor(&mut self) -> Result<(), Error> {
        let events = self.server.latency.events();
        let text = match () {
            () if !events.is_empty() => {
                let mut text = SEEN.to_owned();
                for (number, (name, series)) in events.iter().enumerate() {
                    text.push_str(&diagnosis(number + 1, name, series));
                }
                text + ADVICE
            }
            () if self.server.latency.threshold_ms() == 0 => DISABLED.to_owned(),
            () => NOTHING_SEEN.to_owned(),
        };
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }

    pub(super) fn latency_histogram(&mut self) -> Result<(), Error> {
        let wanted = wanted_commands(self.args.from(2));
        let table = CommandTable::get();
        let mut all = self.server.command_latencies(&self.server.shard_figures());
        all.retain(|id, _| {
            self.server.latency.tracks() && wanted.as_ref().is_none_or(|ids| ids.contains(id))
        });
        self.reply.map(all.len());
        for (id, latencies) in all {
            self.reply.bulk(table.entry(id).full_name.as_bytes());
            show_latencies(self.reply, &latencies);
        }
        Ok(())
    }
}

/// The ids of the commands of these names and of their subcommands; `None` without names: all.
fn wanted_commands(names: &[&[u8]]) -> Option<Vec<CommandId>> {
    if names.is_empty() {
        return None;
    }
    let entries = names.iter().filter_map(|name| CommandTable::get().by_full_name(name));
    Some(
        entries
            .flat_map(|entry| std::iter::once(entry.id).chain(entry.subcommands.iter().copied()))
            .collect(),
    )
}

/// The calls, and how many of them took at most 1, 2, 4, ... microseconds.
fn show_latencies(reply: &mut Reply, latencies: &Latencies) {
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(latencies.calls() as i64);
    reply.bulk(b"histogram_usec");
    let steps: Vec<(u64, u64)> = latencies.by_powers().collect();
    reply.map(steps.len());
    for (nanos, calls) in steps {
        // Redis' histograms do not tell times apart that differ by less than a 128th.
        reply.int(((nanos + nanos / 128 - 1) / 1000) as i64);
        reply.int(calls as i64);
    }
}

/// What the doctor says of an event.
fn diagnosis(number: usize, name: &str, series: &Series) -> String {
    let count = series.samples.len().max(1) as u64;
    let mean = series.samples.iter().map(|sample| sample.millis).sum::<u64>() / count;
    let deviation = series.samples.iter().map(|sample| sample.millis.abs_diff(mean)).sum::<u64>() / count;
    let oldest = series.samples.first().map_or(0, |sample| sample.unix_seconds);
    let period = (unix_ms() / 1000).saturating_sub(oldest).max(1) as f64 / count as f64;
    format!(
        "{number}. {name}: {count} latency spikes (average {mean}ms, mean deviation {deviation}ms, period {period:.2} \
         sec). Worst all time event {}ms.\n",
        series.millis_max
    )
}

/// The samples as columns of a few characters' height, with their ages below.
fn graph(name: &str, series: &Series, now_seconds: u64) -> String {
    const WIDTH: usize = 80;
    const HEIGHT: u64 = 4;
    let millis = || series.samples.iter().map(|sample| sample.millis);
    let (low, high) = (millis().min().unwrap_or(0), millis().max().unwrap_or(0));
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.millis_max,
        "-".repeat(WIDTH)
    );
    let ages: Vec<String> =
        series.samples.iter().map(|sample| age(now_seconds.saturating_sub(sample.unix_seconds))).collect();
    for (samples, ages) in series.samples.chunks(WIDTH).zip(ages.chunks(WIDTH)) {
        for row in (0..HEIGHT).rev() {
            for sample in samples {
                let level = (sample.millis - low) * HEIGHT / (high - low + 1);
                text.push(match level.cmp(&row) {
                    std::cmp::Ordering::Greater => '#',
                    std::cmp::Ordering::Equal => '_',
                    std::cmp::Ordering::Less => ' ',
                });
            }
            text.push('\n');
        }
        text.push('\n');
        let lines = ages.iter().map(String::len).max().unwrap_or(0);
        for line in 0..lines {
            text.extend(
                ages.iter().map(|age| age.as_bytes().get(line).map_or(' ', |&byte| char::from(byte))),
            );
            text.push('\n');
        }
    }
    text
}

/// An age for people.
fn age(seconds: u64) -> String {
    let mut text = String::new();
    let (number, unit) = match seconds {
        0..60 => (seconds, 's'),
        60..3600 => (seconds / 60, 'm'),
        3600..86400 => (seconds / 3600, 'h'),
        _ => (seconds / 86400, 'd'),
    };
    // Writing into a String cannot fail.
    let _ = write!(text, "{number}{unit}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Sample;

    #[test]
    fn a_graph_has_a_column_for_each_sample() {
        let samples =
            [(100, 1), (101, 5), (3700, 9)].map(|(unix_seconds, millis)| Sample { unix_seconds, millis });
        let series = Series { samples: samples.to_vec(), millis_max: 12 };
        let text = graph("command", &series, 3701);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 9 ms, low 1 ms (all time high 12 ms)");
        assert_eq!(lines[2..6], ["  _", "  #", " _#", "_##"]);
        assert_eq!(lines[7..9], ["111", "hhs"]);
    }
}
