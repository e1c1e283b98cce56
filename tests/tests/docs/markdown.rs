//! As much of Markdown as the tests need: fences, links, headings, tables, code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A page of the documentation.
pub struct Page {
    /// Its path in the repository.
    pub name: String,
    pub text: String,
}

/// A fenced block.
pub struct Fence {
    /// The file that a comment before it names.
    pub marker: Option<String>,
    pub language: String,
    pub text: String,
    pub line: usize,
    /// Blanks before it, as in a list.
    indent: String,
}

/// Where the workspace is.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// README, CHANGELOG and everything under docs.
pub fn pages() -> Vec<Page> {
    let root = repository();
    let mut found = vec![Page::read("README.md"), Page::read("CHANGELOG.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(Page::at(&path));
            }
        }
    }
    found
}

impl Page {
    pub fn read(name: &str) -> Self {
        Self::at(&repository().join(name))
    }

    pub fn at(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.strip_prefix(repository()).unwrap_or(path).display().to_string();
        Self { name, text }
    }

    pub fn path(&self) -> PathBuf {
        repository().join(&self.name)
    }

    /// The part below a heading, up to the next heading of its level or above.
    pub fn section(&self, title: &str) -> Self {
        let level = |line: &str| line.chars().take_while(|c| *c == '#').count();
        let is_start = |line: &&str| level(line) > 0 && line.trim_start_matches('#').trim() == title;
        let start = self.text.lines().position(|line| is_start(&line));
        let start = start.unwrap_or_else(|| panic!("{} has no heading {title:?}", self.name));
        let own = level(self.text.lines().nth(start).unwrap_or_default());
        let rest = self.text.lines().skip(start + 1).take_while(|line| level(line) == 0 || level(line) > own);
        Self { name: self.name.clone(), text: rest.collect::<Vec<_>>().join("\n") }
    }

    pub fn fences(&self) -> Vec<Fence> {
        let mut found = Vec::new();
        let mut open: Option<Fence> = None;
        let mut before = "";
        for (index, line) in self.text.lines().enumerate() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => {
                    let marker = before.strip_prefix("<!-- examples/").and_then(|rest| rest.strip_suffix(" -->"));
                    let marker = marker.map(|name| format!("examples/{name}"));
                    let indent = line.chars().take_while(|c| *c == ' ').collect();
                    open =
                        Some(Fence { marker, language: language.into(), text: String::new(), line: index + 1, indent });
                }
                (Some(_), Some(_)) => found.extend(open.take()),
                (Some(fence), None) => {
                    fence.text.push_str(line.strip_prefix(&fence.indent).unwrap_or(line));
                    fence.text.push('\n');
                }
                (None, None) => {}
            }
            if !line.trim().is_empty() {
                before = line.trim();
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name);
        found
    }

    /// Lines outside fences, with their numbers.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut inside = false;
        self.text.lines().enumerate().filter_map(move |(index, line)| {
            let is_fence = line.trim_start().starts_with("```");
            inside ^= is_fence;
            (!inside && !is_fence).then_some((index + 1, line))
        })
    }

    /// Targets of links, outside fences and inline code.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line) in self.prose() {
            let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            for rest in plain.split("](").skip(1) {
                let target = rest.split(')').next().unwrap_or_default();
                found.push((number, target.to_owned()));
            }
        }
        found
    }

    /// The anchors of its headings, as GitHub makes them.
    pub fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().map(|(_, line)| line).filter(|line| line.starts_with('#'));
        let slug = |line: &str| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        };
        headings.map(slug).collect()
    }

    /// The names in the first cells of table rows, where they are code.
    pub fn first_cells(&self) -> BTreeSet<String> {
        let cells = self.prose().filter_map(|(_, line)| line.strip_prefix("| `"));
        cells.filter_map(|rest| rest.split_once('`')).map(|(name, _)| name.to_owned()).collect()
    }

    /// Lines of shell fences and pieces of inline code.
    pub fn code(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for fence in self.fences().into_iter().filter(|fence| matches!(fence.language.as_str(), "sh" | "shell" | "")) {
            let lines = fence.text.lines().map(|line| line.split(" #").next().unwrap_or_default());
            found.extend(lines.filter(|line| !line.starts_with('#')).map(|line| (fence.line, line.to_owned())));
        }
        for (number, line) in self.prose() {
            found.extend(line.split('`').skip(1).step_by(2).map(|code| (number, code.to_owned())));
        }
        found
    }

    /// What commands on our own chart set.
    pub fn chart_settings(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for fence in self.fences() {
            let joined = fence.text.replace("\\\n", " ");
            for command in joined.lines().filter(|line| line.contains("charts/octroi")) {
                for setting in command.split("--set ").skip(1) {
                    let name = setting.trim_start().split('=').next().unwrap_or_default();
                    found.push((fence.line, name.to_owned()));
                }
            }
        }
        found
    }
}
