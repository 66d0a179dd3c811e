//! Numbers of 16 bits, widened exactly.

/// IEEE 754 half precision: 5 bits of exponent, 10 of fraction.
///
/// ```
/// assert_eq!(gradus_tensor::half::from_float16(0xc000), -2.0);
/// ```
pub fn from_float16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// The upper half of an `f32`.
///
/// ```
/// assert_eq!(gradus_tensor::half::from_bfloat16(0x3fc0), 1.5);
/// ```
pub fn from_bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2f32.powi(-24)), (0x7c00, f32::INFINITY)]
        {
            assert_eq!(from_float16(bits), value, "{bits:#x}");
        }
        assert!(from_float16(0x7e00).is_nan());
    }
}
