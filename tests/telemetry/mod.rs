//! What is seen from outside: metrics, alerts, the dashboard.

mod alerts;
mod backlog;
