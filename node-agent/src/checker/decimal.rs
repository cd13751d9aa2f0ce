//! Numbers of the Float checker: read in one pass, compared in decimal, without rounding.
//!
//! In: the bytes of a token. Out: whether it is a number or a word for one that is not finite, and
//! whether two of them are equal within the tolerances. Binary floating point decides only whether a
//! number overflows, so 0.3 is 0.1 from 0.2 exactly, and integers beyond 2^53 differ when they differ.
//! Memory: `DIGITS` digits a number, however long its token is.

use std::cmp::Ordering;

/// Significant digits that are kept; of the rest only whether all are 0. More than the 767 that
/// decide any rounding of a double.
const DIGITS: usize = 800;

/// Widest sum or difference; of what lies further below only whether it is 0.
const WIDTH: i64 = 2048;

/// Exponents are clamped here, far outside of doubles and far inside of i64.
const EXPONENT_LIMIT: i64 = 1_000_000_000_000;

/// The magnitude `0.d1d2d3... * 10^exponent` with a sign; no digits: zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// 0..=9 each, most significant first, the first and the last one not 0.
    digits: Vec<u8>,
    exponent: i64,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A decimal number.
    Number(Decimal),
    /// `inf` or `infinity`.
    Infinite { negative: bool, word: Word },
    /// `nan`, of any sign.
    NotANumber,
    /// Anything else.
    Text,
}

/// Which word stands for infinity; api.md lets a word equal only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Inf,
    Infinity,
}

/// The largest differences that are forgiven.
#[derive(Debug, Clone)]
pub(super) struct Tolerance {
    absolute: Decimal,
    relative: Decimal,
}

impl Tolerance {
    /// From finite values that are not negative; each stands for the shortest decimal that reads as it.
    pub(super) fn new(absolute: f64, relative: f64) -> Self {
        let decimal = |value: f64| match Value::of(format!("{value:e}").as_bytes()) {
            Value::Number(decimal) => decimal,
            _ => Decimal::default(),
        };
        Self {
            absolute: decimal(absolute),
            relative: decimal(relative),
        }
    }
}

impl Value {
    pub(super) fn of(token: &[u8]) -> Self {
        let mut scan = Scan::default();
        token.iter().for_each(|&byte| scan.push(byte));
        scan.value()
    }

    /// Whether `self` equals `expected` within the tolerance, for tokens that are not the same bytes;
    /// else how far two finite numbers are apart, where both are finite numbers.
    pub(super) fn distance(
        &self,
        expected: &Self,
        tolerance: &Tolerance,
    ) -> Result<(), Option<String>> {
        match (self, expected) {
            (Self::Number(got), Self::Number(wanted)) => {
                let apart = got.distance(wanted);
                if apart.digits.is_empty() {
                    return Ok(());
                }
                if got.overflows() || wanted.overflows() {
                    return Err(None);
                }
                let at_most = |limit: &Decimal| apart.compare_magnitude(limit) != Ordering::Greater;
                if at_most(&tolerance.absolute) || at_most(&tolerance.relative.times(wanted)) {
                    return Ok(());
                }
                Err(Some(format!("{:e}", apart.to_double())))
            }
            (Self::Text, _) | (_, Self::Text) => Err(None),
            (got, wanted) if got == wanted => Ok(()),
            _ => Err(None),
        }
    }
}

impl Decimal {
    fn to_double(&self) -> f64 {
        let digits: String = self
            .digits
            .iter()
            .map(|&digit| char::from(b'0' + digit))
            .collect();
        let text = format!("0.{digits}e{}", self.exponent);
        text.parse().unwrap_or(f64::INFINITY)
    }

    /// Whether the number is beyond the largest double.
    fn overflows(&self) -> bool {
        match self.exponent {
            ..=308 => false,
            309 => self.to_double().is_infinite(),
            _ => true,
        }
    }

    /// The number's digits in `width` places below 10^top; what does not fit leaves a trace in the last one.
    fn places(&self, top: i64, width: usize) -> Vec<u8> {
        let mut places = vec![0; width];
        for (index, &digit) in self.digits.iter().enumerate() {
            let place = top - self.exponent + i64::try_from(index).unwrap_or(i64::MAX);
            match usize::try_from(place).ok().filter(|&place| place < width) {
                Some(place) => places[place] = digit,
                None => {
                    let last = &mut places[width - 1];
                    *last = (*last).max(1);
                    break;
                }
            }
        }
        places
    }

    /// |self - other|.
    fn distance(&self, other: &Self) -> Self {
        if self.digits.is_empty() || other.digits.is_empty() {
            let number = if self.digits.is_empty() { other } else { self };
            return Self {
                negative: false,
                ..number.clone()
            };
        }
        let bottom = |number: &Self| {
            number.exponent - i64::try_from(number.digits.len()).unwrap_or(i64::MAX)
        };
        // One place more for the carry of a sum.
        let top = self.exponent.max(other.exponent) + 1;
        let width = (top - bottom(self).min(bottom(other))).min(WIDTH);
        let width = usize::try_from(width).unwrap_or_default();
        let (mut a, mut b) = (self.places(top, width), other.places(top, width));
        if a < b {
            std::mem::swap(&mut a, &mut b);
        }
        if self.negative == other.negative {
            subtract(&mut a, &b);
        } else {
            add(&mut a, &b);
        }
        Self::normal(a, top)
    }

    /// |self * other|.
    fn times(&self, other: &Self) -> Self {
        let mut sums = vec![0_u32; self.digits.len() + other.digits.len()];
        for (i, &a) in self.digits.iter().enumerate() {
            for (j, &b) in other.digits.iter().enumerate() {
                // At most 800 products of at most 81 meet in one place.
                sums[i + j + 1] += u32::from(a) * u32::from(b);
            }
        }
        let mut carry = 0;
        let mut digits = vec![0; sums.len()];
        for (digit, sum) in digits.iter_mut().zip(&sums).rev() {
            let value = sum + carry;
            *digit = u8::try_from(value % 10).unwrap_or_default();
            carry = value / 10;
        }
        Self::normal(digits, self.exponent + other.exponent)
    }

    /// From places below 10^top, zeros at both ends allowed.
    fn normal(mut digits: Vec<u8>, top: i64) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..zeros);
        let exponent = top - i64::try_from(zeros).unwrap_or(i64::MAX);
        Self {
            negative: false,
            exponent: if digits.is_empty() { 0 } else { exponent },
            digits,
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Without zeros at the front the exponent decides first, then digits as text does.
            (false, false) => self
                .exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

/// a -= b, place by place; a is not less than b.
fn subtract(a: &mut [u8], b: &[u8]) {
    let mut borrow = 0;
    for (a, b) in a.iter_mut().zip(b).rev() {
        let wanted = b + borrow;
        borrow = u8::from(*a < wanted);
        *a = *a + 10 * borrow - wanted;
    }
}

/// a += b, place by place; the first place of both is 0.
fn add(a: &mut [u8], b: &[u8]) {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b).rev() {
        let sum = *a + b + carry;
        *a = sum % 10;
        carry = sum / 10;
    }
}

/// Reads a token byte by byte.
#[derive(Debug, Default)]
pub(super) struct Scan {
    state: State,
    negative: bool,
    digits: Vec<u8>,
    /// A digit that is not 0 was not kept.
    more: bool,
    /// Whether the mantissa has a digit, 0 included.
    any: bool,
    /// Exponent that the place of the point gives.
    point: i64,
    exponent: i64,
    exponent_negative: bool,
    /// The token's letters in lower case, as long as it may be a word.
    word: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Signed,
    Whole,
    Fraction,
    ExponentStart,
    ExponentSigned,
    Exponent,
    Word,
    Text,
}

impl Scan {
    /// Forgets the token, keeps the memory.
    pub(super) fn restart(&mut self) {
        let (mut digits, mut word) = (
            std::mem::take(&mut self.digits),
            std::mem::take(&mut self.word),
        );
        digits.clear();
        word.clear();
        *self = Self {
            digits,
            word,
            ..Self::default()
        };
    }

    /// Whether what was read is the beginning of a number.
    pub(super) fn is_number(&self) -> bool {
        !matches!(self.state, State::Text | State::Word)
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Start, b'+' | b'-') => {
                self.negative = byte == b'-';
                State::Signed
            }
            (State::Start | State::Signed | State::Whole, b'0'..=b'9') => {
                self.digit(byte - b'0', true);
                State::Whole
            }
            (State::Start | State::Signed | State::Whole, b'.') => State::Fraction,
            (State::Fraction, b'0'..=b'9') => {
                self.digit(byte - b'0', false);
                State::Fraction
            }
            (State::Whole | State::Fraction, b'e' | b'E') if self.any => State::ExponentStart,
            (State::ExponentStart, b'+' | b'-') => {
                self.exponent_negative = byte == b'-';
                State::ExponentSigned
            }
            (State::ExponentStart | State::ExponentSigned | State::Exponent, b'0'..=b'9') => {
                self.exponent = (self.exponent * 10 + i64::from(byte - b'0')).min(EXPONENT_LIMIT);
                State::Exponent
            }
            (State::Start | State::Signed | State::Word, _)
                if byte.is_ascii_alphabetic() && self.word.len() < "infinity".len() =>
            {
                self.word.push(byte.to_ascii_lowercase());
                State::Word
            }
            _ => State::Text,
        };
    }

    fn digit(&mut self, digit: u8, whole: bool) {
        self.any = true;
        if digit == 0 && self.digits.is_empty() {
            self.point -= i64::from(!whole);
            return;
        }
        self.point += i64::from(whole);
        if self.digits.len() < DIGITS {
            self.digits.push(digit);
        } else {
            self.more |= digit != 0;
        }
    }

    /// What the token is.
    pub(super) fn value(&self) -> Value {
        let negative = self.negative;
        match self.state {
            State::Whole | State::Exponent => Value::Number(self.number()),
            State::Fraction if self.any => Value::Number(self.number()),
            State::Word => match self.word.as_slice() {
                b"inf" => Value::Infinite {
                    negative,
                    word: Word::Inf,
                },
                b"infinity" => Value::Infinite {
                    negative,
                    word: Word::Infinity,
                },
                b"nan" => Value::NotANumber,
                _ => Value::Text,
            },
            _ => Value::Text,
        }
    }

    fn number(&self) -> Decimal {
        let mut digits = self.digits.clone();
        if self.more {
            digits.push(1);
        }
        let exponent = if self.exponent_negative {
            -self.exponent
        } else {
            self.exponent
        };
        let number = Decimal::normal(digits, self.point + exponent);
        Decimal {
            negative: self.negative && !number.digits.is_empty(),
            ..number
        }
    }
}
