//! Scores as elements of packed forms.

use moonshard_protocol::number::format_double;
use moonshard_store::number::parse_f64;
use moonshard_store::{Element, Packed};

/// Appends a score as Redis does: as an integer where it is one, else with seventeen digits.
pub(crate) fn push_score(packed: &mut Packed, score: f64, text: &mut Vec<u8>) {
    const WHOLE_MAX: f64 = (i64::MAX / 2) as f64;
    let whole = score as i64;
    if score.abs() <= WHOLE_MAX && whole as f64 == score {
        packed.push_back_element(Element::Int(whole));
    } else {
        text.clear();
        format_double(score, text);
        packed.push_back(text);
    }
}

/// The score that an element spells.
pub(crate) fn score_of(element: Element<'_>) -> Option<f64> {
    match element {
        Element::Int(value) => Some(value as f64),
        Element::Bytes(text) => parse_f64(text),
    }
}
