//! The rules and the dashboard of the chart, and the metrics that their expressions name.

use std::collections::BTreeSet;

use octroi_tests::manifest;
use promql_parser::parser::{self, Expr};
use serde_json::Value;

use crate::markdown::repository;

const RULES: &str = "charts/octroi/rules/octroi.yaml";
const DASHBOARD: &str = "charts/octroi/dashboards/octroi.json";
/// What Grafana puts in place of its variables.
const VARIABLES: [(&str, &str); 2] = [("$tenant", ".*"), ("$__rate_interval", "5m")];

/// A recording rule or an alert.
pub struct Rule {
    /// Of the alert, or of the series that it records.
    pub name: String,
    pub is_alert: bool,
    pub expression: String,
    /// As it stands in the file.
    pub object: Value,
}

/// In the order of the file.
pub fn all() -> Vec<Rule> {
    let documents = manifest::parse(&read(RULES)).unwrap_or_else(|error| panic!("{error}"));
    let groups = documents.into_iter().flat_map(|document| items(&document.object["groups"]));
    groups.flat_map(|group| items(&group["rules"])).map(rule).collect()
}

fn rule(object: Value) -> Rule {
    let text = |name: &str| object[name].as_str().map(str::to_owned);
    let name = text("alert").or_else(|| text("record")).unwrap_or_else(|| panic!("{object} has no name"));
    let expression = text("expr").unwrap_or_else(|| panic!("{name} has no expression"));
    Rule { name, is_alert: text("alert").is_some(), expression, object }
}

/// Title and expression of each query of the dashboard.
pub fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap_or_else(|error| panic!("{error}"));
    let mut found = Vec::new();
    for panel in items(&dashboard["panels"]) {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        for target in items(&panel["targets"]) {
            let expression = target["expr"].as_str().unwrap_or_else(|| panic!("{title} has no expression"));
            let put = |text: String, (variable, value): (&str, &str)| text.replace(variable, value);
            found.push((title.clone(), VARIABLES.into_iter().fold(expression.to_owned(), put)));
        }
    }
    assert!(found.len() > 5, "the dashboard is no longer as this test thinks");
    found
}

/// The metrics that an expression selects.
pub fn names(expression: &str) -> BTreeSet<String> {
    let parsed = parser::parse(expression).unwrap_or_else(|error| panic!("{error}: {expression}"));
    let mut found = BTreeSet::new();
    collect(&parsed, &mut found);
    found
}

fn collect(expression: &Expr, found: &mut BTreeSet<String>) {
    match expression {
        Expr::Aggregate(aggregate) => {
            collect(&aggregate.expr, found);
            aggregate.param.iter().for_each(|param| collect(param, found));
        }
        Expr::Unary(unary) => collect(&unary.expr, found),
        Expr::Binary(binary) => {
            collect(&binary.lhs, found);
            collect(&binary.rhs, found);
        }
        Expr::Paren(paren) => collect(&paren.expr, found),
        Expr::Subquery(subquery) => collect(&subquery.expr, found),
        Expr::Call(call) => call.args.args.iter().for_each(|argument| collect(argument, found)),
        Expr::VectorSelector(selector) => found.extend([selector.name.clone().unwrap_or_default()]),
        Expr::MatrixSelector(selector) => found.extend([selector.vs.name.clone().unwrap_or_default()]),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn items(list: &Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_default()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
