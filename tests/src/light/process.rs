//! Child processes that never outlive the test, whatever ends it: a return, a panic, Ctrl-C or SIGKILL.
//!
//! Each program runs in a process group of its own beside a shell that waits on a pipe held by the test process. When
//! the pipe closes, for whatever reason, that shell kills the group. `PR_SET_PDEATHSIG` would need `unsafe`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::{Error, Result};

/// The shell becomes the program by `exec`, so that the child we hold is the program itself.
const GUARD: &str = r#"exec 3<&0; (read -r _ <&3; kill -KILL 0) & exec "$@" </dev/null 3<&-"#;
/// Removes the folder after its owner died; programs that are still dying may write into it meanwhile.
const SWEEP: &str = r#"read -r _; sleep 0.2; until rm -rf "$1"; do sleep 0.2; done"#;
const TAIL: u64 = 2_000;

/// One running program with its log.
pub(crate) struct Component {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Component {
    /// Starts `program`, its output appended to `<name>.log` in `dir`.
    pub(crate) fn start(name: &'static str, program: &Path, args: &[String], dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let open = |file: &Path| File::options().create(true).append(true).open(file);
        let out = open(&log).map_err(Error::io(format!("the log of {name}")))?;
        let err = out.try_clone().map_err(Error::io(format!("the log of {name}")))?;
        let child = Command::new("sh")
            .args(["-c", GUARD, name])
            .arg(program)
            .args(args)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(Error::io(format!("starting {name}")))?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails when the program has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        let ended = self.child.try_wait().map_err(Error::io(self.name))?;
        match ended {
            None => Ok(()),
            Some(status) => Err(Error::Failed { what: format!("{} ended ({status})", self.name), detail: self.tail() }),
        }
    }

    /// How it ended; nothing while it runs.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::io(self.name))
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("{}: {error}", self.log.display()))
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        // Both fail only when the program is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Removes a folder when the test process is gone.
pub(crate) struct Sweeper(Child);

impl Sweeper {
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        Command::new("sh")
            .args(["-c", SWEEP, "sweeper"])
            .arg(dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
            .map_err(Error::io("starting the sweeper"))
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // The owner removes the folder itself on this path.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
