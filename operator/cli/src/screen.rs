//! Text for a terminal: aligned, wrapped, and without anything that a terminal would act on, since some of it was written
//! by tenants.

/// Narrowest and widest that is written for.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=160;
const DEFAULT_WIDTH: usize = 100;

/// The width of the terminal, as the shell says.
pub fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse::<usize>().ok());
    said.map_or(DEFAULT_WIDTH, |columns| columns.clamp(*WIDTHS.start(), *WIDTHS.end()))
}

/// On one line, and without control characters.
pub fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Wrapped between words, each line after this many spaces. A word that is too long stays whole, to be copied.
pub fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in plain(text).split(' ') {
        let is_full = line.chars().count() + 1 + word.chars().count() > width.saturating_sub(indent);
        if is_full && !line.is_empty() {
            push(&mut lines, &line, indent);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    push(&mut lines, &line, indent);
    lines
}

fn push(lines: &mut String, line: &str, indent: usize) {
    lines.push_str(&" ".repeat(indent));
    lines.push_str(line);
    lines.push('\n');
}

/// Rows under each other, two spaces apart and after an indent of two.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let length = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| length(row, column)).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        push(&mut text, cells.join("  ").trim_end(), 2);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n\tc\u{7}"), "a [2Jb c");
    }

    #[test]
    fn lines_break_between_words_and_long_words_stay_whole() {
        assert_eq!(wrapped("one two three", 2, 9), "  one two\n  three\n");
        assert_eq!(wrapped("a kubectl-describe-something b", 0, 10), "a\nkubectl-describe-something\nb\n");
        assert_eq!(wrapped("", 2, 60), "  \n".to_owned());
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["é".to_owned(), "x".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&rows), "  é     x\n  long\n");
    }
}
