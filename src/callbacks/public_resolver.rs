//! Looks names up and keeps what is private to itself: who names a receiver may name one whose address only we can reach.

use crate::domain::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;

/// A resolver that knows only public addresses. The address that it gives is the one that is connected to, so a name that changes its
/// mind in between gains nothing.
pub struct PublicResolver;

/// A name that has addresses, none of which is public.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to private addresses only")]
pub struct PrivateAddressError;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is put in by the client.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.iter().copied().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() && !found.is_empty() {
                return Err(PrivateAddressError.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_this_machine_has_no_address() {
        let Err(error) = PublicResolver.resolve("localhost".parse().unwrap()).await else {
            panic!("localhost was resolved")
        };
        assert!(error.downcast_ref::<PrivateAddressError>().is_some(), "{error}");
    }
}
