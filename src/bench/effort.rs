//! How much is done to measure something once.

/// How many of each are made in a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Texts.
    pub texts: usize,
    /// Pictures of 100 kB.
    pub photos: usize,
    /// What is done one after the other, each waited for.
    pub singles: usize,
}

impl Effort {
    /// Enough for a rate to mean something.
    pub const FULL: Self = Self { texts: 10_000, photos: 1_500, singles: 200 };

    /// So many hundredths of [`Effort::FULL`], and ten of each at the least.
    pub fn percent(percent: usize) -> Self {
        let part = |whole: usize| (whole * percent / 100).max(10);
        let Self { texts, photos, singles } = Self::FULL;
        Self { texts: part(texts), photos: part(photos), singles: part(singles) }
    }
}
