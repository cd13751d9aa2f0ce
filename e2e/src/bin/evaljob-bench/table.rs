//! The table: a row a figure, beside what it is compared with, and whether its bar is met.

use std::fs;
use std::io;
use std::time::Duration;

use crate::Figures;
use crate::ceiling::IN_FLIGHT;
use crate::throughput::{PARTIES, Round};

/// Lowest share of the ceiling.
const BAR_CEILING: f64 = 0.4;
/// Most MiB of the operator with 2,000 live jobs, an idle agent, an idle spawner.
const BAR_OPERATOR: f64 = 60.0;
const BAR_AGENT: f64 = 25.0;
const BAR_SPAWNER: f64 = 4.0;
/// Lowest rate through Pods, as a share of that through host processes; and as a multiple of Jobs of Kubernetes.
const BAR_PODS: f64 = 0.9;
const BAR_BATCH: f64 = 40.0;
/// Most seconds from `helm install` to the first verdict, images being there.
const BAR_INSTALL: f64 = 60.0;

/// One line: CPUs, memory, kernel, load.
pub(crate) fn machine() -> io::Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| {
            rest.trim_start_matches(['\t', ' ', ':'])
        });
    let count = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!(
        "{count} x {model}, Linux {}, load {load} at the start",
        kernel.trim()
    ))
}

/// Prints everything.
#[expect(clippy::print_stdout, reason = "a benchmark prints")]
pub(crate) fn print(figures: &Figures) {
    let jobs = figures.jobs;
    println!("Jobs that run `true`, through the cluster");
    println!("machine: {}", figures.machine);
    println!(
        "method:  etcd, API server, operator, agent, kubelet and client share the machine; {} rounds of {jobs} jobs through host processes, then through Pods, then {} Jobs of Kubernetes, then the ceiling client (one create, one status write a job, no operator); ratios are of one round each, their median counts; controllers at {} requests/s",
        figures.rounds.len(),
        figures.batch_jobs,
        if figures.default_rates {
            "their default of 20"
        } else {
            "500"
        },
    );
    println!();
    println!("{:<44} {:>12}  {:<25} bar", "", "measured", "beside");
    latency(&figures.latency);
    throughput(figures);
    memory(figures);
    pods(figures);
    println!();
    println!("CPU-ms a job, medians; beside: through Pods");
    for (number, party) in PARTIES.iter().enumerate() {
        let cpu = |rounds: &[Round]| median(rounds.iter().map(|round| round.cpu[number]));
        let (host, pods) = (cpu(&figures.rounds), cpu(&figures.in_pods));
        row(party, &format!("{host:.2}"), &format!("{pods:.2}"), "");
    }
}

/// The same as Pods of the chart.
#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn pods(figures: &Figures) {
    println!();
    println!("As Pods of the chart");
    let seconds = figures.install.as_secs_f64();
    let met = bar(seconds <= BAR_INSTALL, &format!("at most {BAR_INSTALL}"));
    let measured = format!("{seconds:.1}");
    row("helm install to the first verdict, s", &measured, "", &met);
    let share = median(ratios(rates(&figures.in_pods), rates(&figures.rounds)));
    row(
        "jobs/s through Pods, median round",
        &format!("{:.0}", median(rates(&figures.in_pods))),
        &format!("{share:.2} of host processes"),
        &bar(share >= BAR_PODS, &format!("at least {BAR_PODS}")),
    );
    let batch = || figures.batch.iter().copied();
    let times = median(ratios(rates(&figures.in_pods), batch()));
    row(
        &format!("batch/v1 Jobs/s, {} at once", figures.batch_jobs),
        &format!("{:.2}", median(batch())),
        &format!("EvalJobs are {times:.0} times"),
        &bar(times >= BAR_BATCH, &format!("at least {BAR_BATCH}")),
    );
    let memory = figures.pods_memory;
    let pod = |bytes| format!("{:.1} the Pod", mebibytes(bytes));
    let pss = |bytes| format!("{:.1}", mebibytes(bytes));
    let (operator, agent) = (pod(memory.operator_pod), pod(memory.agent_pod));
    row(
        "operator, proportional, MiB",
        &pss(memory.operator),
        &operator,
        "",
    );
    row("agent, proportional, MiB", &pss(memory.agent), &agent, "");
    row(
        "its spawner, proportional, MiB",
        &pss(memory.spawner),
        "",
        "",
    );
}

/// Jobs a second of each round.
fn rates(rounds: &[Round]) -> impl Iterator<Item = f64> {
    rounds.iter().map(|round| round.rate)
}

/// Of each round, the one figure over the other.
fn ratios(
    of: impl Iterator<Item = f64>,
    to: impl Iterator<Item = f64>,
) -> impl Iterator<Item = f64> {
    of.zip(to).map(|(of, to)| of / to)
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn latency(times: &[Duration]) {
    for percent in [50, 99] {
        let time = times.get(times.len().saturating_sub(1) * percent / 100);
        let ms = time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
        let name = format!("apply to Finished, p{percent}, ms");
        row(
            &name,
            &format!("{ms:.1}"),
            &format!("{} jobs", times.len()),
            "",
        );
    }
}

fn throughput(figures: &Figures) {
    let rate = median(rates(&figures.rounds));
    let (best, in_flight) = best(&figures.ceiling);
    row("jobs/s, median round", &format!("{rate:.0}"), "", "");
    let beside = format!("{in_flight} in flight");
    row(
        "jobs/s of the ceiling client, best",
        &format!("{best:.0}"),
        &beside,
        "",
    );
    let ratio = rate / best;
    let bar = bar(ratio >= BAR_CEILING, &format!("at least {BAR_CEILING}"));
    row("share of the ceiling", &format!("{ratio:.2}"), "", &bar);
}

/// The best rate of the ceiling client in any round, and its number in flight.
fn best(ceiling: &[[f64; 3]]) -> (f64, usize) {
    let all = ceiling
        .iter()
        .flat_map(|rates| rates.iter().copied().zip(IN_FLIGHT));
    all.fold(
        (0.0, 0),
        |best, next| if next.0 > best.0 { next } else { best },
    )
}

fn memory(figures: &Figures) {
    let jobs = figures.jobs;
    let line = |name: &str, bytes: u64, beside: &str, most: f64| {
        let mebibytes = mebibytes(bytes);
        let bar = bar(mebibytes <= most, &format!("at most {most} MiB"));
        row(name, &format!("{mebibytes:.1}"), beside, &bar);
    };
    let live = format!("operator resident, {jobs} live jobs, MiB");
    line(&live, figures.operator, "", BAR_OPERATOR);
    let (fresh, used) = (figures.fresh, figures.used);
    let beside = |bytes| format!("{:.1} before any job", mebibytes(bytes));
    line(
        "agent resident, idle after all rounds, MiB",
        used.agent,
        &beside(fresh.agent),
        BAR_AGENT,
    );
    line(
        "spawner resident, idle, MiB",
        used.spawner,
        &beside(fresh.spawner),
        BAR_SPAWNER,
    );
    let helpers = format!("{:.1}", mebibytes(used.helpers));
    row("its workers and network maker, together", &helpers, "", "");
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn bar(met: bool, bar: &str) -> String {
    format!("{bar}: {}", if met { "met" } else { "NOT MET" })
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn row(name: &str, measured: &str, beside: &str, bar: &str) {
    println!("{name:<44} {measured:>12}  {beside:<25} {bar}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_rate_of_all_rounds_is_the_ceiling() {
        assert_eq!(best(&[[1.0, 5.0, 3.0], [2.0, 4.0, 6.0]]), (6.0, 32));
    }

    #[test]
    fn a_ratio_is_of_one_round_and_the_median_of_them_counts() {
        let of = [100.0, 50.0, 120.0].into_iter();
        let to = [4.0, 1.0, 3.0].into_iter();
        assert!((median(ratios(of, to)) - 40.0).abs() < f64::EPSILON);
    }
}
