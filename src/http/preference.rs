//! Lists with weights, as `Accept-Encoding` and `Accept-Language` have them (RFC 9110, 12.4.2).

/// Returns the members of a list with their weights, from 0 (not wanted) to 1.
///
/// `lines` has the values of all headers of one name. A member whose weight cannot be read is left
/// out.
pub fn weighted<'h>(lines: impl Iterator<Item = &'h str>) -> impl Iterator<Item = (&'h str, f32)> {
    lines.flat_map(|line| line.split(',')).filter_map(|member| {
        let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
        let mut pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
        let weight = match pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case("q")) {
            Some((_, weight)) => weight.trim().parse().ok()?,
            None => 1.0,
        };
        let is_member = !name.trim().is_empty() && (0.0..=1.0).contains(&weight);
        is_member.then_some((name.trim(), weight))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_its_weight_and_those_without_one_count_fully() {
        let of = |line| weighted(std::iter::once(line)).collect::<Vec<_>>();
        assert_eq!(of("gzip"), [("gzip", 1.0)]);
        assert_eq!(of("gzip;q=0, br ; Q = 0.5,*"), [("gzip", 0.0), ("br", 0.5), ("*", 1.0)]);
        assert_eq!(of("zh;level=2;q=0.25"), [("zh", 0.25)]);
        for none in ["", ",", ";q=1", "gzip;q=", "gzip;q=x", "gzip;q=2", "gzip;q=-1", "gzip;q=NaN"]
        {
            assert!(of(none).is_empty(), "{none}");
        }
        let lines = weighted(["a", "b;q=0.1"].into_iter());
        assert_eq!(lines.collect::<Vec<_>>(), [("a", 1.0), ("b", 0.1)]);
    }
}
