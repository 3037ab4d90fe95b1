//! Where a wanted value lies in a record's text, and what it is: one word, written and read as one.

/// Where a field's value lies, and what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(u64);

impl Slot {
    const SHAPE_BITS: u32 = 4;
    const PLACE_BITS: u32 = 30;

    /// A value from `start` to before `end`: bytes of its text, or items of a list. Places from 2^30 on do not fit:
    /// records are far shorter, and librdkafka takes none of that length.
    #[inline(always)]
    pub fn new(shape: Shape, start: usize, end: usize) -> Self {
        let places = (end as u64) << Self::PLACE_BITS | start as u64;
        Self(places << Self::SHAPE_BITS | shape as u64)
    }

    /// What the range holds.
    #[inline(always)]
    pub fn shape(self) -> Shape {
        match self.0 & 7 {
            0 => Shape::Absent,
            1 => Shape::False,
            2 => Shape::True,
            3 => Shape::Number,
            4 => Shape::Text,
            5 => Shape::Written,
            6 => Shape::List,
            _ => Shape::Object,
        }
    }

    /// Start of the value in its text, in bytes; of a list, index of its first item.
    #[inline(always)]
    pub fn start(self) -> usize {
        (self.0 >> Self::SHAPE_BITS) as usize & ((1 << Self::PLACE_BITS) - 1)
    }

    /// End of the value in its text, in bytes; of a list, one past its last item.
    #[inline(always)]
    pub fn end(self) -> usize {
        (self.0 >> (Self::SHAPE_BITS + Self::PLACE_BITS)) as usize
    }

    /// Where it lies.
    #[inline(always)]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start()..self.end()
    }

    /// Whether there is nothing.
    #[inline(always)]
    pub fn is_absent(self) -> bool {
        self.shape() == Shape::Absent
    }
}

/// What a [`Slot`]'s range holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Nothing, null, or blank text: absent everywhere (rules.md 3).
    #[default]
    Absent,
    /// `false`.
    False,
    /// `true`.
    True,
    /// A number's JSON text, in the record.
    Number,
    /// Text, in the record.
    Text,
    /// Text, in the second text (it had escapes, or was derived).
    Written,
    /// A range of the items.
    List,
    /// An object: it only exists.
    Object,
}
