//! `make attacks`: the whole attack suite, on the lab that runs. With arguments only those parts of it: `up`, `stopped`,
//! `failing-over`, `matrix`.

use std::process::ExitCode;

use octroi_tests::attack::suite::{self, Phase, Report};

const PARTS: [&str; 4] = ["up", "stopped", "failing-over", "matrix"];

#[tokio::main]
async fn main() -> ExitCode {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprintln!("attacks: there is no part {unknown}; the parts are {}", PARTS.join(", "));
        return ExitCode::FAILURE;
    }
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let phases = [(Phase::Up, "up"), (Phase::Stopped, "stopped"), (Phase::FailingOver, "failing-over")];
    let phases: Vec<_> = phases.into_iter().filter(|(_, part)| is_wanted(part)).map(|(phase, _)| phase).collect();
    match suite::on_lab(&phases, is_wanted("matrix"), |line| println!("{line}")).await {
        Ok(report) => end(&report),
        Err(error) => {
            eprintln!("attacks: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn end(report: &Report) -> ExitCode {
    let mut is_good = report.unproved().is_empty();
    if let Some(matrix) = &report.matrix {
        println!("\n{}", matrix.print());
        match matrix.write() {
            Ok(file) => println!("the matrix as JSON: {}", file.display()),
            Err(error) => eprintln!("attacks: error: {error}"),
        }
        for guard in matrix.unproved() {
            is_good = false;
            println!("UNPROVED: no attack works without {guard}");
        }
        for leak in matrix.leaked() {
            is_good = false;
            println!("LEAK: {leak}");
        }
    }
    for (phase, name, outcome) in &report.runs {
        if report.with_effect().contains(&name.as_str()) || report.unproved().contains(&name.as_str()) {
            println!("{phase:?} {name}: {outcome}");
        }
    }
    let (absent, unproved) = (report.not_here(), report.unproved());
    println!("the leader changed {} times while attacks ran", report.fail_overs);
    println!("{} cannot be tried here: {}", absent.len(), absent.join(", "));
    println!("{} prove nothing: {}", unproved.len(), unproved.join(", "));
    let worked = report.with_effect();
    println!("{} attacks, {} with effect", report.tried(), worked.len());
    if is_good && worked.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
