//! A program in a terminal of tmux(1), which types keys and captures the screen.

use std::process::Command;
use std::time::Duration;

use super::{PATIENCE, poll_for, text, wait_until};

/// A terminal program in tmux(1), whose screen is captured.
pub struct Tmux {
    socket: tempfile::TempDir,
}

impl Tmux {
    pub fn start(command: &str) -> Tmux {
        let socket = tempfile::tempdir().unwrap();
        let tmux = Tmux { socket };
        tmux.run(&["new-session", "-d", "-x", "80", "-y", "40", command]);
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.env_remove("TMUX").env("LC_ALL", "C.UTF-8").env("TERM", "xterm");
        tmux.args(["-u", "-f", "/dev/null", "-S"]).arg(self.socket.path().join("tmux"));
        let output = tmux.args(args).output();
        let output = output.expect("tmux is missing: run `build/prepare.sh test`");
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    pub fn type_keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    pub fn enter(&self, line: &str) {
        self.run(&["send-keys", "-l", line]);
        self.type_keys(&["Enter"]);
    }

    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Presses a key again and again until `what` shows: a program that is starting drops it.
    pub fn wait_at_key(&self, key: &str, what: &str) {
        wait_until(&format!("{what:?} on the screen"), || {
            self.type_keys(&[key]);
            let shows = || self.screen().contains(what).then_some(());
            poll_for(Duration::from_millis(200), shows).is_some()
        });
    }

    pub fn wait(&self, what: &str) -> String {
        let shows = || Some(self.screen()).filter(|screen| screen.contains(what));
        let missing = || panic!("waiting for {what:?} on this screen:\n{}", self.screen());
        poll_for(PATIENCE, shows).unwrap_or_else(missing)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut tmux = Command::new("tmux");
        let _ = tmux.arg("-S").arg(self.socket.path().join("tmux")).arg("kill-server").output();
    }
}
