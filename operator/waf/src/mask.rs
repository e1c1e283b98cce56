//! Hides what a client sent, and leaves what an attack looks like: `' OR 1=1--` is `' xx 9=9--`.

/// Longer values are cut: the start of an attack tells it, and logs stay readable.
const MAX_CHARACTERS: usize = 96;

/// The shape of a value: letters become `x`, digits `9`, control characters `.`; what is left are the signs between them.
pub(crate) fn masked(value: &str) -> String {
    let mut shape: String = value.chars().take(MAX_CHARACTERS).map(shape_of).collect();
    if value.chars().nth(MAX_CHARACTERS).is_some() {
        shape.push('…');
    }
    shape
}

fn shape_of(character: char) -> char {
    match character {
        '0'..='9' => '9',
        ' ' => ' ',
        _ if character.is_control() => '.',
        _ if character.is_ascii_punctuation() => character,
        _ => 'x',
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARACTERS, masked};

    #[test]
    fn no_letter_and_no_digit_is_left() {
        let secret = "Tr0ub4dor&3 пароль \u{7}\n密码";
        assert_eq!(masked(secret), "xx9xx9xxx&9 xxxxxx ..xx");
        assert_eq!(masked("' OR 1=1--"), "' xx 9=9--");
    }

    #[test]
    fn a_long_value_is_cut_by_characters() {
        let shape = masked(&"é".repeat(10_000));
        assert_eq!(shape.chars().count(), MAX_CHARACTERS + 1);
        assert!(shape.ends_with('…'));
    }
}
