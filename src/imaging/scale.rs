//! Scaling down: each new pixel is the mean of the area that it covers. One row of sums is all the memory it takes.

/// A picture of 8 bits a channel: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha.
pub struct Pixels<'a> {
    pub bytes: &'a [u8],
    pub width: u32,
    pub height: u32,
    pub channels: usize,
}

/// What a source pixel adds to which new one, and to the one after it.
struct PixelShare {
    target: usize,
    here: f32,
    next: f32,
}

impl Pixels<'_> {
    /// The picture at a size that is not larger on any side.
    pub fn scaled(&self, width: u32, height: u32) -> Vec<u8> {
        let (columns, rows) = (shares(self.width, width), shares(self.height, height));
        let row_length = width as usize * self.channels;
        let mut sums = [vec![0.0_f32; row_length], vec![0.0_f32; row_length]];
        let mut line = vec![0.0_f32; row_length];
        let mut output = Vec::with_capacity(row_length * height as usize);
        let mut current = 0;
        for (source, share) in self.bytes.chunks_exact(self.width as usize * self.channels).zip(&rows) {
            if share.target > current {
                output.extend(self.finished(&sums[0]));
                sums.swap(0, 1);
                sums[1].fill(0.0);
                current = share.target;
            }
            self.squeeze(source, &columns, &mut line);
            for (index, value) in line.iter().enumerate() {
                sums[0][index] += value * share.here;
                sums[1][index] += value * share.next;
            }
        }
        output.extend(self.finished(&sums[0]));
        output
    }

    /// Scales one row. Colours count as much as they are opaque.
    fn squeeze(&self, source: &[u8], columns: &[PixelShare], line: &mut [f32]) {
        let channels = self.channels;
        line.fill(0.0);
        for (pixel, share) in source.chunks_exact(channels).zip(columns) {
            let opacity = if channels.is_multiple_of(2) { f32::from(pixel[channels - 1]) / 255.0 } else { 1.0 };
            for (channel, value) in pixel.iter().enumerate() {
                let is_alpha = channels.is_multiple_of(2) && channel == channels - 1;
                let value = f32::from(*value) * if is_alpha { 1.0 } else { opacity };
                let at = share.target * channels + channel;
                line[at] += value * share.here;
                if share.next > 0.0 {
                    line[at + channels] += value * share.next;
                }
            }
        }
    }

    fn finished<'s>(&self, sums: &'s [f32]) -> impl Iterator<Item = u8> + use<'s> {
        let channels = self.channels;
        sums.chunks_exact(channels).flat_map(move |pixel| {
            let opacity = if channels.is_multiple_of(2) { pixel[channels - 1] / 255.0 } else { 1.0 };
            pixel.iter().enumerate().map(move |(channel, value)| {
                let is_alpha = channels.is_multiple_of(2) && channel == channels - 1;
                let value = if is_alpha || opacity == 0.0 { *value } else { value / opacity };
                // Saturates, and is never negative.
                (value + 0.5) as u8
            })
        })
    }
}

fn shares(from: u32, to: u32) -> Vec<PixelShare> {
    let (from, to) = (u64::from(from), u64::from(to));
    let part = |length: u64| length as f32 / from as f32;
    // In units of 1/from of a new pixel: source pixel i covers i * to .. (i + 1) * to.
    (0..from)
        .map(|index| {
            let (begin, end) = (index * to, (index + 1) * to);
            let target = begin / from;
            let border = (target + 1) * from;
            PixelShare {
                target: target as usize,
                here: part(end.min(border) - begin),
                next: part(end.saturating_sub(border)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pixel_is_the_mean_of_what_it_covers() {
        let grey = Pixels { bytes: &[0, 100, 200, 100, 200, 60], width: 3, height: 2, channels: 1 };
        assert_eq!(grey.scaled(3, 2), grey.bytes);
        assert_eq!(grey.scaled(1, 1), [110]);
        assert_eq!(grey.scaled(3, 1), [50, 150, 130]);
        let row = Pixels { bytes: &[30, 60, 90], width: 3, height: 1, channels: 1 };
        assert_eq!(row.scaled(2, 1), [40, 80]);
    }

    #[test]
    fn what_is_transparent_lends_no_colour() {
        let bytes = [200, 100, 0, 255, 0, 0, 0, 0];
        let picture = Pixels { bytes: &bytes, width: 2, height: 1, channels: 4 };
        assert_eq!(picture.scaled(1, 1), [200, 100, 0, 128]);
    }
}
