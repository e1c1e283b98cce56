//! Builds the Go half of this crate, `go/`, as a C archive and links it. It needs Go and a C compiler, and no libclang: six
//! functions are declared by hand on both sides.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Tags of the engine (its README explains them): no uploaded file or body is ever written to disk, expressions match as the rules'
/// authors mean them, and a rule without an id is refused.
const TAGS: &str = "no_fs_access,coraza.rule.no_regex_multiline,coraza.rule.mandatory_rule_id_check";

fn main() -> ExitCode {
    for file in ["exports.go", "inspect.go", "packed.go", "rules.go", "rx.go", "go.mod", "go.sum"] {
        println!("cargo::rerun-if-changed=go/{file}");
    }
    println!("cargo::rerun-if-env-changed=GO");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("cargo::error={problem}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut go = Command::new(env::var_os("GO").unwrap_or_else(|| "go".into()));
    go.args([
        "build",
        "-buildmode=c-archive",
        "-trimpath",
        "-buildvcs=false",
        "-tags",
        TAGS,
        "-ldflags",
        "-s -w",
        "-o",
    ]);
    go.arg(out.join("liboctroi_coraza.a")).arg(".").current_dir("go");
    go.env("CGO_ENABLED", "1").env("GOOS", variable("CARGO_CFG_TARGET_OS")?);
    go.env("GOARCH", architecture(&variable("CARGO_CFG_TARGET_ARCH")?)?);
    let done =
        go.output().map_err(|error| format!("go cannot be started ({error}); install Go 1.26 or newer, or set GO"))?;
    if !done.status.success() {
        return Err(format!("go build: {}", String::from_utf8_lossy(&done.stderr).replace('\n', "; ")));
    }
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=octroi_coraza");
    Ok(())
}

fn architecture(rust: &str) -> Result<&'static str, String> {
    match rust {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => Err(format!("Octroi is not built for {other}")),
    }
}
