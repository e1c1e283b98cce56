//! Calls of `lab/lab.sh`, and of any other program, with what they said when they fail.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// The repository: the folder that holds `lab/`, `crds/` and `examples/`.
pub(crate) fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// When it cannot be started, or ends with anything but success; the message carries its standard error.
pub(crate) async fn output(mut command: Command) -> Result<String> {
    let name = describe(&command);
    command.stdin(Stdio::null());
    let done = blocking(&name, move || command.output()).await?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(Error::Failed { what: name, detail: said });
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
}

/// `lab/lab.sh ARGS…`, its output returned.
///
/// # Errors
/// As [`output`]; the script's own message names the next step.
pub(crate) async fn lab<S: AsRef<OsStr>>(args: &[S]) -> Result<String> {
    output(lab_command(args)).await
}

/// `lab/lab.sh ARGS…`, its progress shown to whoever watches.
///
/// # Errors
/// When it ends with anything but success.
pub(crate) async fn lab_shown<S: AsRef<OsStr>>(args: &[S]) -> Result<()> {
    let mut command = lab_command(args);
    let name = describe(&command);
    command.stdin(Stdio::null());
    let status = blocking(&name, move || command.status()).await?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { what: name, detail: format!("{status}; its last lines above name the next step") })
}

fn lab_command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(repository().join("lab/lab.sh"));
    command.args(args);
    command
}

/// Waiting for a child must not hold a thread of the runtime.
async fn blocking<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(run).await.map_err(Error::failed(name))? {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Missing {
            what: format!("{name}: there is no such program"),
            next: "install it, and put its folder into PATH".into(),
        }),
        other => other.map_err(Error::io(name)),
    }
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let args = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>();
    format!("{} {}", name.to_string_lossy(), args.join(" "))
}
