//! LOLWUT: tonight's moon.

use super::Call;
use moonshard_engine::Error;

/// The time from one new moon to the next, in seconds.
const MONTH: f64 = 29.530_588_853 * 86_400.0;
/// A new moon: 6 January 2000, 18:14 UTC, as Unix time in seconds.
const NEW_MOON: f64 = 947_182_440.0;
/// Characters from the middle of the moon to its top; a character is about twice as high as wide.
const RADIUS: i32 = 8;

impl Call<'_, '_> {
    pub(super) fn lolwut(&mut self) -> Result<(), Error> {
        if self.args.len() >= 3 && self.args.is(1, "VERSION") {
            self.args.int(2)?;
        }
        let age = ((self.now_ms as f64 / 1000.0 - NEW_MOON) / MONTH).rem_euclid(1.0);
        let text = format!(
            "{}\nMoonshard ver. {}, Redis ver. {}\n",
            moon(age),
            env!("CARGO_PKG_VERSION"),
            crate::REDIS_VERSION
        );
        self.reply.verbatim(b"txt", text.as_bytes());
        Ok(())
    }
}

/// The moon as seen from the north, `age` months after it was new.
fn moon(age: f64) -> String {
    let mut text = String::new();
    // The edge of the shadow is half an ellipse, whose width goes with the cosine of the age.
    let edge = (age * std::f64::consts::TAU).cos();
    for y in -RADIUS..=RADIUS {
        let half = (f64::from(RADIUS * RADIUS - y * y)).sqrt() * 2.0;
        let mut line = String::new();
        for x in -2 * RADIUS..=2 * RADIUS {
            let x = f64::from(x);
            let lit = if age < 0.5 { x >= edge * half } else { x <= -edge * half };
            line.push(match () {
                () if x.abs() > half => ' ',
                () if lit => '@',
                () => '.',
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::moon;

    #[test]
    fn the_moon_waxes_and_wanes() {
        let lit = |age: f64| moon(age).matches('@').count();
        assert!(lit(0.01) < lit(0.25) && lit(0.25) < lit(0.5) && lit(0.75) < lit(0.5));
        assert!(moon(0.5).matches('.').count() == 0);
    }
}
