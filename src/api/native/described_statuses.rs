//! Which statuses each described operation answers. They are read from the text of the description, line by line: the document that it is
//! made of takes megabytes, which a process would keep.

use crate::http::routing::RouteStatuses;
use std::collections::BTreeSet;

/// As `pixcourier openapi` prints it; a test of `openapi` holds this against the document.
const DESCRIPTION: &str = include_str!("../../../openapi/openapi.yaml");

/// Of every operation, and 500, a fault of our own, which nobody documents. A `HEAD` goes wherever a `GET` does; of it no more than our own
/// faults are worth a count of zero.
pub fn all() -> Vec<RouteStatuses> {
    let mut all: Vec<RouteStatuses> = Vec::new();
    let mut route = "";
    let paths = DESCRIPTION.lines().skip_while(|line| *line != "paths:").skip(1);
    for line in paths.take_while(|line| line.starts_with(' ')) {
        let indent = line.len() - line.trim_start().len();
        let key = line.trim_start().strip_suffix(':').map(|key| key.trim_matches('\''));
        match (indent, key) {
            (2, Some(path)) => route = path,
            (4, Some(name)) => {
                let method =
                    ["GET", "PUT", "POST", "DELETE"].into_iter().find(|method| method.eq_ignore_ascii_case(name));
                let Some(method) = method else { continue };
                let statuses = BTreeSet::from([500]);
                all.push(RouteStatuses { route: route.into(), method, statuses });
            }
            (8, Some(status)) => {
                let (Some(last), Ok(status)) = (all.last_mut(), status.parse()) else { continue };
                last.statuses.insert(status);
            }
            _ => {}
        }
    }
    let heads = all.iter().filter(|one| one.method == "GET").map(|get| RouteStatuses {
        route: get.route.clone(),
        method: "HEAD",
        statuses: get.statuses.range(500..).copied().collect(),
    });
    let heads: Vec<RouteStatuses> = heads.collect();
    all.extend(heads);
    all
}
