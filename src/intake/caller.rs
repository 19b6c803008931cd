//! Who calls, as far as callers share something evenly or have quotas.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// A client by its API key, or an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller(Arc<str>);

impl Caller {
    /// A caller of this name, which nobody is shown.
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// Who calls from an address.
    pub fn at(address: IpAddr) -> Self {
        Self::named(&network(address).to_string())
    }
}

/// The network of one machine: its address, or of IPv6 the 64 bits of which one machine has all addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_one_caller_with_all_of_its_addresses() {
        let at = |address: &str| Caller::at(address.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
    }
}
