//! Whether two sets of resources are the same, however they are written: an API server rewrites `1000m` as `1`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Suffixes and what they multiply by, in thousandths.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1_024e3),
    ("Mi", 1_048_576e3),
    ("Gi", 1_073_741_824e3),
    ("Ti", 1_099_511_627_776e3),
    ("Pi", 1_125_899_906_842_624e3),
    ("n", 1e-6),
    ("u", 1e-3),
    ("m", 1.0),
    ("k", 1e6),
    ("M", 1e9),
    ("G", 1e12),
    ("T", 1e15),
    ("P", 1e18),
    ("E", 1e21),
    ("", 1e3),
];

/// Whether requests and limits are the same.
pub(crate) fn same_resources(a: &ResourceRequirements, b: &ResourceRequirements) -> bool {
    same(a.requests.as_ref(), b.requests.as_ref()) && same(a.limits.as_ref(), b.limits.as_ref())
}

/// A quantity in whole units; `None` if it is none, or less than one.
pub(crate) fn whole_units(text: &str) -> Option<u64> {
    // `as` keeps to the range of the type.
    thousandths(text).map(|thousandths| (thousandths / 1e3) as u64).filter(|whole| *whole > 0)
}

type Quantities = BTreeMap<String, Quantity>;

fn same(a: Option<&Quantities>, b: Option<&Quantities>) -> bool {
    let none = Quantities::new();
    let (a, b) = (a.unwrap_or(&none), b.unwrap_or(&none));
    a.len() == b.len()
        && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_quantity(&a.0, &b.0)))
}

fn same_quantity(a: &str, b: &str) -> bool {
    a == b
        || matches!((thousandths(a), thousandths(b)), (Some(a), Some(b)) if (a - b).abs() <= a.abs() * 1e-9)
}

fn thousandths(text: &str) -> Option<f64> {
    let (number, factor) =
        SUFFIXES.iter().find_map(|(suffix, f)| Some((text.strip_suffix(suffix)?, f)))?;
    number.parse::<f64>().ok().map(|n| n * factor)
}

#[cfg(test)]
mod tests {
    use super::{same_quantity, whole_units as whole};

    #[test]
    fn whole_units_of_a_quantity() {
        assert_eq!(whole("50Mi"), Some(50 << 20));
        assert_eq!((whole("1.5k"), whole("7")), (Some(1_500), Some(7)));
        assert_eq!(
            (whole("0"), whole("10m"), whole("fast"), whole("-1")),
            (None, None, None, None)
        );
    }

    #[test]
    fn quantities_are_compared_by_value() {
        for (a, b) in [("1000m", "1"), ("1024Mi", "1Gi"), ("0.5", "500m"), ("1000k", "1M")] {
            assert!(same_quantity(a, b), "{a} {b}");
        }
        assert!(!same_quantity("1Gi", "1G"));
        assert!(!same_quantity("1", "x"));
    }
}
