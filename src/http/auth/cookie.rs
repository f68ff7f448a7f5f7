//! Cookies as a browser sends them (RFC 6265, 4.2.1).

/// Returns the values of all cookies called `name`, in the order they were sent in.
pub fn values<'c>(cookies: &'c str, name: &'c str) -> impl Iterator<Item = &'c str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(called, _)| *called == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_exact_name() {
        let own = |cookies| values(cookies, "box").collect::<Vec<_>>();
        assert_eq!(own("theme=dark; box=1; x=y;box=2"), ["1", "2"]);
        assert_eq!(own("box=a=b"), ["a=b"]);
        assert_eq!(own("box="), [""]);
        for none in ["", "=", ";;;", "box", "Box=1", "box2=1", "abox=1", "box-owner=1"] {
            assert!(own(none).is_empty(), "{none}");
        }
    }
}
