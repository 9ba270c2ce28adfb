//! The one line in ~/.ssh/config.
//!
//! Owns the change of a file that is somebody's own: one line at its top, once, and everything else as it was.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::cli::CliError;

/// Puts `line` at the top of the file; says whether it was not there before.
///
/// # Errors
/// The file can't be read or written.
pub fn install(config: &Path, line: &str) -> Result<bool, CliError> {
    let cannot = |error: io::Error| CliError::failed(format!("can't change {}: {error}", config.display()));
    // Where it is a link to somewhere, what it leads to is changed.
    let config = match fs::canonicalize(config) {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => config.to_owned(),
        Err(error) => return Err(cannot(error)),
    };
    let (before, mode) = match fs::read(&config) {
        Ok(before) => (before, fs::metadata(&config).map_err(cannot)?.permissions().mode() & 0o777),
        Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), 0o600),
        Err(error) => return Err(cannot(error)),
    };
    if counts(&String::from_utf8_lossy(&before), line) {
        return Ok(false);
    }
    let mut after = format!("{line}\n").into_bytes();
    if !before.is_empty() {
        after.push(b'\n');
        after.extend(before);
    }
    replace(&config, &after, mode).map_err(cannot)?;
    Ok(true)
}

/// Whether the line stands where it holds for every host: below `Host` or `Match` it would be a part of that.
fn counts(text: &str, line: &str) -> bool {
    let begins = |text: &str| {
        let word = text.split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
        word.eq_ignore_ascii_case("host") || word.eq_ignore_ascii_case("match")
    };
    text.lines().map(str::trim).take_while(|text| !begins(text)).any(|text| text == line)
}

fn replace(config: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = config.parent().filter(|folder| !folder.is_dir()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut draft = config.as_os_str().to_owned();
    draft.push(format!(".curfew-{}", std::process::id()));
    let draft = Path::new(&draft);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
        file.write_all(bytes)?;
        fs::set_permissions(draft, Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(draft, config)
    })();
    if written.is_err() {
        // Best effort: the error that is told is the first one.
        let _ = fs::remove_file(draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "Include \"/home/a/.config/curfew/gate/ssh_config\"";

    #[test]
    fn the_line_is_put_on_top_once_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join(".ssh/config");
        assert!(install(&config, LINE).unwrap());
        assert!(!install(&config, LINE).unwrap());
        assert_eq!(fs::read_to_string(&config).unwrap(), format!("{LINE}\n"));
        assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
        let mine = "# mine\nHost *\n    ForwardAgent no\n";
        fs::write(&config, mine).unwrap();
        fs::set_permissions(&config, Permissions::from_mode(0o644)).unwrap();
        assert!(install(&config, LINE).unwrap());
        assert!(!install(&config, LINE).unwrap());
        assert_eq!(fs::read_to_string(&config).unwrap(), format!("{LINE}\n\n{mine}"));
        assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path().join(".ssh")).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_line_that_counts_for_one_host_only_does_not_count() {
        assert!(counts(&format!("# x\n  {LINE}\nHost a\n"), LINE));
        for text in [format!("host=a\n{LINE}\n"), format!("Match all\n  {LINE}\n"), format!("#{LINE}")] {
            assert!(!counts(&text, LINE), "{text}");
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("dotfiles"), folder.path().join("config"));
        fs::write(&real, "Host *\n").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(install(&link, LINE).unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), format!("{LINE}\n\nHost *\n"));
    }
}
