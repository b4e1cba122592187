//! Kafka's logical types: a schema name that gives a physical value its meaning.
//!
//! | name | physical | meaning |
//! |---|---|---|
//! | [`DECIMAL`] | bytes | big-endian two's complement unscaled value; parameter `scale` = digits after the point |
//! | [`DATE`] | int32 | days since 1970-01-01 |
//! | [`TIME`] | int32 | milliseconds since midnight |
//! | [`TIMESTAMP`] | int64 | milliseconds since 1970-01-01T00:00Z |

use super::schema::{Schema, SchemaBuilder, Type};

pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";

/// The parameter of a [`DECIMAL`] schema that holds its scale.
pub const SCALE: &str = "scale";

/// Longest unscaled value, in bytes, that is turned into digits: the cost grows with its square.
pub const MAX_DECIMAL_BYTES: usize = 1024;

/// Largest magnitude of a scale: what a 1024-byte value can hold is about 2466 digits.
pub const MAX_SCALE: i32 = 4096;

/// The schema of a decimal with `scale` digits after the point.
pub fn decimal(scale: i32) -> SchemaBuilder {
    SchemaBuilder::new(Type::Bytes).name(DECIMAL).version(1).parameter(SCALE, scale.to_string())
}

/// The scale of a decimal schema, when it is one and says a scale within [`MAX_SCALE`].
pub fn decimal_scale(schema: &Schema) -> Option<i32> {
    if schema.name() != Some(DECIMAL) || schema.type_() != Type::Bytes {
        return None;
    }
    let scale: i32 = schema.parameters().get(SCALE)?.parse().ok()?;
    (-MAX_SCALE..=MAX_SCALE).contains(&scale).then_some(scale)
}

/// Writes an unscaled value as a plain decimal number (`-12.340`), the way of `BigDecimal.toPlainString`.
///
/// `None` when the value is empty or longer than [`MAX_DECIMAL_BYTES`].
pub fn decimal_to_string(unscaled: &[u8], scale: i32) -> Option<String> {
    if unscaled.is_empty() || unscaled.len() > MAX_DECIMAL_BYTES || scale.abs() > MAX_SCALE {
        return None;
    }
    let negative = unscaled[0] & 0x80 != 0;
    let mut magnitude = unscaled.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    let mut digits = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut remainder = 0u32;
        for byte in &mut magnitude {
            let value = remainder << 8 | u32::from(*byte);
            *byte = (value / 10) as u8;
            remainder = value % 10;
        }
        digits.push(b'0' + remainder as u8);
    }
    if scale < 0 && !digits.is_empty() {
        digits.splice(0..0, std::iter::repeat_n(b'0', scale.unsigned_abs() as usize));
    }
    let point = usize::try_from(scale).unwrap_or(0);
    while digits.len() <= point {
        digits.push(b'0');
    }
    let mut text = String::with_capacity(digits.len() + 2);
    if negative {
        text.push('-');
    }
    for (left, digit) in digits.iter().enumerate().rev() {
        text.push(char::from(*digit));
        if left == point && point > 0 {
            text.push('.');
        }
    }
    Some(text)
}

/// The unscaled value of a decimal number with exactly `scale` digits after the point.
///
/// `None` when the text is no plain or exponential decimal number, or has more digits after the point than `scale`.
pub fn decimal_from_str(text: &str, scale: i32) -> Option<Vec<u8>> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || digits.len() > 3 * MAX_DECIMAL_BYTES {
        return None;
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let have = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let missing = scale.checked_sub(have)?;
    if missing.abs() > MAX_SCALE {
        return None;
    }
    digits.extend(std::iter::repeat_n(b'0', usize::try_from(missing).unwrap_or(0)));
    for _ in 0..(-missing).max(0) {
        if digits.pop().is_some_and(|digit| digit != b'0') {
            return None;
        }
    }
    let mut bytes = to_big_endian(&digits);
    if negative {
        negate(&mut bytes);
    }
    Some(bytes)
}

/// The shortest non-negative two's complement number that these ASCII digits write.
fn to_big_endian(digits: &[u8]) -> Vec<u8> {
    let mut little: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u32::from(digit - b'0');
        for byte in &mut little {
            let value = u32::from(*byte) * 10 + carry;
            *byte = value as u8;
            carry = value >> 8;
        }
        if carry > 0 {
            little.push(carry as u8);
        }
    }
    if little.last().is_none_or(|top| top & 0x80 != 0) {
        little.push(0);
    }
    little.reverse();
    little
}

fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (value, overflow) = (!*byte).overflowing_add(u8::from(carry));
        *byte = value;
        carry = overflow;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_print_as_java_prints_them() {
        for (bytes, scale, text) in [
            (&[0x00][..], 0, "0"),
            (&[0x00], 2, "0.00"),
            (&[0x04, 0xd2], 2, "12.34"),
            (&[0xfb, 0x2e], 2, "-12.34"),
            (&[0x05], 3, "0.005"),
            (&[0x80], 0, "-128"),
            (&[0x00, 0x80], 0, "128"),
            (&[0x05], -2, "500"),
        ] {
            assert_eq!(decimal_to_string(bytes, scale).as_deref(), Some(text));
        }
        assert_eq!(decimal_to_string(&[], 0), None);
        assert_eq!(decimal_to_string(&vec![1; MAX_DECIMAL_BYTES + 1], 0), None);
    }

    #[test]
    fn decimals_read_back() {
        for (text, scale) in [
            ("0.00", 2),
            ("12.34", 2),
            ("-12.34", 2),
            ("340282366920938463463374607431768211456", 0),
            ("-0.001", 3),
            ("-128", 0),
        ] {
            let bytes = decimal_from_str(text, scale).unwrap();
            assert_eq!(decimal_to_string(&bytes, scale).as_deref(), Some(text));
        }
        assert_eq!(decimal_from_str("1.5e2", 1), decimal_from_str("150", 1));
        assert_eq!(decimal_from_str("1.230", 2), decimal_from_str("1.23", 2));
        for bad in ["", "-", "1.234", "1x", "1e999999999", "."] {
            assert_eq!(decimal_from_str(bad, 2), None, "{bad}");
        }
    }
}
