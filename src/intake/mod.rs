//! (in progress)

/// (stub)
pub mod http {
    /// (stub)
    pub fn openapi_yaml() -> String {
        String::new()
    }
}
