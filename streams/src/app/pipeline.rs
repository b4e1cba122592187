//! One pipeline: its steps in order, each checked against what flows there.

use super::compile::{Compiler, unknown};
use super::expressions;
use super::shape::{Flow, Shape};
use super::spec::{
    Aggregate, Filter, GroupBy, Map, MapValues, Pipeline, Reduce, SelectKey, Sink, Step,
};
use crate::cel::{Expression, Scope, convert};
use crate::topology::counter;
use crate::{Serde, Type, Value};

/// `None` ends the pipeline: the mistake is reported, and what follows would only repeat it.
type Next = Option<Flow>;

const OPERATIONS: &str = "mapValues, map, selectKey, flatMapValues, filter, groupBy, groupByKey, count, aggregate, reduce, toStream or toTable";

pub(super) fn compile(compiler: &mut Compiler, pipeline: &Pipeline, path: &str, all: &[Pipeline]) {
    compiler.take_name(&pipeline.name, path);
    let result = run(compiler, pipeline, path, all);
    if let (Some(flow), Some(to)) = (&result, &pipeline.to) {
        write(compiler, flow, to, &pipeline.name, path);
    }
    if let (None, Some(to)) = (&result, &pipeline.to) {
        // So that tests that name the topic are not reported as well.
        let types = (to.key.unwrap_or(Serde::Json), to.value.unwrap_or(Serde::Json));
        compiler.written.entry(to.topic.clone()).or_insert(types);
    }
    let used = all.iter().any(|other| other.from == pipeline.name);
    if pipeline.to.is_none() && !used {
        let message = "the result goes nowhere: write it with `to`, or read it in another pipeline";
        compiler.report(path, message);
    }
    compiler.flows.entry(pipeline.name.clone()).or_insert(result);
}

fn run(compiler: &mut Compiler, pipeline: &Pipeline, path: &str, all: &[Pipeline]) -> Next {
    let Some(flow) = compiler.flows.get(&pipeline.from).cloned() else {
        let later = all.iter().any(|p| p.name == pipeline.from);
        let message = if later {
            format!("the pipeline `{}` comes later: move it before this one", pipeline.from)
        } else {
            let known: Vec<String> = compiler.flows.keys().cloned().collect();
            unknown("source, table or pipeline", &pipeline.from, known.iter().map(String::as_str))
        };
        compiler.report(format!("{path}.from"), message);
        return None;
    };
    let mut flow = flow?;
    for (i, step) in pipeline.steps.iter().enumerate() {
        flow = step_once(compiler, flow, step, &format!("{path}.steps[{i}]"))?;
    }
    if flow.shape.is_grouped() {
        let message = "the pipeline ends with a grouping: add count, aggregate or reduce";
        compiler.report(format!("{path}.steps"), message);
        return None;
    }
    Some(flow)
}

fn step_once(compiler: &mut Compiler, flow: Flow, step: &Step, path: &str) -> Next {
    let named = compiler.take_name(&step.name, path);
    let operations = [
        step.map_values.is_some(),
        step.map.is_some(),
        step.select_key.is_some(),
        step.flat_map_values.is_some(),
        step.filter.is_some(),
        step.group_by.is_some(),
        step.group_by_key.is_some(),
        step.count.is_some(),
        step.aggregate.is_some(),
        step.reduce.is_some(),
        step.to_stream.is_some(),
        step.to_table.is_some(),
    ];
    match operations.iter().filter(|given| **given).count() {
        1 => {}
        0 => {
            compiler.report(path, format!("the step does nothing: give it one of {OPERATIONS}"));
            return None;
        }
        _ => {
            compiler.report(path, "the step has several operations: make one step of each");
            return None;
        }
    }
    let next = Operation { compiler, name: &step.name, path }.apply(flow, step);
    if named { next } else { None }
}

struct Operation<'a> {
    compiler: &'a mut Compiler,
    name: &'a str,
    path: &'a str,
}

impl Operation<'_> {
    fn apply(&mut self, flow: Flow, step: &Step) -> Next {
        if let Some(operation) = &step.map_values {
            self.map_values(flow, operation)
        } else if let Some(operation) = &step.map {
            self.map(flow, operation)
        } else if let Some(operation) = &step.select_key {
            self.select_key(flow, operation)
        } else if let Some(operation) = &step.flat_map_values {
            self.flat_map_values(flow, operation)
        } else if let Some(operation) = &step.filter {
            self.filter(flow, operation)
        } else if let Some(operation) = &step.group_by {
            self.group_by(flow, operation)
        } else if step.group_by_key.is_some() {
            self.group_by_key(flow)
        } else if step.count.is_some() {
            self.count(flow)
        } else if let Some(operation) = &step.aggregate {
            self.aggregate(flow, operation)
        } else if let Some(operation) = &step.reduce {
            self.reduce(flow, operation)
        } else if step.to_stream.is_some() {
            self.make_stream(flow)
        } else {
            self.make_table(flow)
        }
    }

    fn report(&mut self, field: &str, message: impl Into<String>) {
        self.compiler.report(format!("{}.{field}", self.path), message);
    }

    fn expression(&mut self, source: &str, field: &str, scope: &Scope) -> Option<Expression> {
        self.compiler.expression(source, format!("{}.{field}", self.path), scope)
    }

    /// The variables at `flow`.
    fn scope(flow: &Flow) -> Scope {
        let (key, value) = (flow.key.clone(), flow.value.clone());
        match flow.shape {
            Shape::Table | Shape::GroupedTable => Scope::row(key, value),
            Shape::Stream { .. } | Shape::GroupedStream => Scope::record(key, value),
        }
    }

    /// `operation` needs a stream: says how to get one.
    fn stream(&mut self, flow: &Flow, operation: &str) -> Option<()> {
        let hint = match flow.shape {
            Shape::Stream { .. } => return Some(()),
            Shape::Table => "put a step {toStream: {}} before it",
            Shape::GroupedStream | Shape::GroupedTable => {
                "put count, aggregate or reduce after the grouping, then {toStream: {}}"
            }
        };
        let what = flow.shape.describe();
        self.report(operation, format!("{operation} needs a stream, and this is {what}: {hint}"));
        None
    }

    fn ungrouped(&mut self, flow: &Flow, operation: &str) -> Option<()> {
        if !flow.shape.is_grouped() {
            return Some(());
        }
        let message = format!(
            "a grouping is followed by count, aggregate or reduce: put {operation} before the grouping or after them"
        );
        self.report(operation, message);
        None
    }

    fn map_values(&mut self, flow: Flow, operation: &MapValues) -> Next {
        self.ungrouped(&flow, "mapValues")?;
        let f = self.expression(&operation.value, "mapValues.value", &Self::scope(&flow))?;
        let value = f.type_of().clone();
        let table = flow.shape == Shape::Table;
        let f = expressions::value(f);
        let node = self.compiler.graph.map_values(self.name, flow.node, f, value.clone(), table);
        Some(Flow { node, value, ..flow })
    }

    fn flat_map_values(&mut self, flow: Flow, operation: &MapValues) -> Next {
        self.stream(&flow, "flatMapValues")?;
        let f = self.expression(&operation.value, "flatMapValues.value", &Self::scope(&flow))?;
        let value = match f.type_of() {
            Type::List(element) => (**element).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                let message = format!(
                    "`{}` is {other} and flatMapValues needs a list: use [{0}], or mapValues",
                    operation.value
                );
                self.report("flatMapValues.value", message);
                return None;
            }
        };
        let f = expressions::values(f);
        let node = self.compiler.graph.flat_map_values(self.name, flow.node, f, value.clone());
        Some(Flow { node, value, ..flow })
    }

    fn map(&mut self, flow: Flow, operation: &Map) -> Next {
        self.stream(&flow, "map")?;
        let scope = Self::scope(&flow);
        let key = self.expression(&operation.key, "map.key", &scope);
        let value = self.expression(&operation.value, "map.value", &scope);
        let (key, value) = (key?, value?);
        let types = (key.type_of().clone(), value.type_of().clone());
        let functions = (expressions::value(key), expressions::value(value));
        let node = self.compiler.graph.map(self.name, flow.node, functions, types.clone());
        let shape = Shape::Stream { key_changed: true };
        Some(Flow { node, shape, key: types.0, value: types.1 })
    }

    fn select_key(&mut self, flow: Flow, operation: &SelectKey) -> Next {
        self.stream(&flow, "selectKey")?;
        let f = self.expression(&operation.key, "selectKey.key", &Self::scope(&flow))?;
        let key = f.type_of().clone();
        let f = expressions::value(f);
        let node = self.compiler.graph.select_key(self.name, flow.node, f, key.clone());
        Some(Flow { node, shape: Shape::Stream { key_changed: true }, key, ..flow })
    }

    fn filter(&mut self, flow: Flow, operation: &Filter) -> Next {
        self.ungrouped(&flow, "filter")?;
        let f = self.expression(&operation.condition, "filter.where", &Self::scope(&flow))?;
        if !matches!(f.type_of(), Type::Bool | Type::Dyn) {
            let message = format!(
                "`{}` is {} and a condition is needed: compare it with something",
                operation.condition,
                f.type_of()
            );
            self.report("filter.where", message);
            return None;
        }
        let table = flow.shape == Shape::Table;
        let predicate = expressions::predicate(f);
        let node = self.compiler.graph.filter(self.name, flow.node, predicate, table);
        Some(Flow { node, ..flow })
    }

    fn group_by(&mut self, flow: Flow, operation: &GroupBy) -> Next {
        self.ungrouped(&flow, "groupBy")?;
        let scope = Self::scope(&flow);
        let key = self.expression(&operation.key, "groupBy.key", &scope);
        let value = match &operation.value {
            Some(source) => Some(self.expression(source, "groupBy.value", &scope)?),
            None => None,
        };
        let key = key?;
        if *key.type_of() == Type::Null {
            self.report(
                "groupBy.key",
                "the key is always null: records without a key belong to no group",
            );
            return None;
        }
        let types = (
            key.type_of().clone(),
            value.as_ref().map_or_else(|| flow.value.clone(), |v| v.type_of().clone()),
        );
        let graph = &mut self.compiler.graph;
        let key = expressions::value(key);
        let value = value.map(expressions::value);
        if flow.shape == Shape::Table {
            let node = graph.group_table(self.name, flow.node, key, value, types.clone());
            return Some(Flow { node, shape: Shape::GroupedTable, key: types.0, value: types.1 });
        }
        let keyed = match value {
            Some(value) => graph.map(self.name, flow.node, (key, value), types.clone()),
            None => graph.select_key(self.name, flow.node, key, types.0.clone()),
        };
        let node = graph.repartition_stream(self.name, keyed);
        Some(Flow { node, shape: Shape::GroupedStream, key: types.0, value: types.1 })
    }

    fn group_by_key(&mut self, flow: Flow) -> Next {
        match flow.shape {
            Shape::Stream { key_changed: true } => {
                let node = self.compiler.graph.repartition_stream(self.name, flow.node);
                Some(Flow { node, shape: Shape::GroupedStream, ..flow })
            }
            Shape::Stream { key_changed: false } => {
                Some(Flow { shape: Shape::GroupedStream, ..flow })
            }
            Shape::Table => {
                let message = "a table has one row a key, there is nothing to group: use groupBy with another key";
                self.report("groupByKey", message);
                None
            }
            Shape::GroupedStream | Shape::GroupedTable => {
                self.ungrouped(&flow, "groupByKey")?;
                None
            }
        }
    }

    fn grouped(&mut self, flow: &Flow, operation: &str) -> Option<()> {
        if flow.shape.is_grouped() {
            return Some(());
        }
        let message = format!(
            "{operation} needs groups, and this is {}: put a step with groupBy or groupByKey before it",
            flow.shape.describe()
        );
        self.report(operation, message);
        None
    }

    fn count(&mut self, flow: Flow) -> Next {
        self.grouped(&flow, "count")?;
        let graph = &mut self.compiler.graph;
        let (zero, long) = (Value::Int(0), Type::Int);
        let node = if flow.shape == Shape::GroupedTable {
            graph.aggregate_table(self.name, flow.node, zero, (counter(1), counter(-1)), long)
        } else {
            graph.aggregate_stream(self.name, flow.node, zero, counter(1), long)
        };
        Some(Flow { node, shape: Shape::Table, value: Type::Int, ..flow })
    }

    fn aggregate(&mut self, flow: Flow, operation: &Aggregate) -> Next {
        self.grouped(&flow, "aggregate")?;
        let init = self.expression(&operation.init, "aggregate.init", &Scope::none())?;
        let ty = init.type_of().clone();
        if ty == Type::Null {
            let message = "an aggregate begins with a value, for instance 0, '' or {}";
            self.report("aggregate.init", message);
            return None;
        }
        let constant = match expressions::constant(&init) {
            Ok(constant) => constant,
            Err(message) => {
                self.report("aggregate.init", message);
                return None;
            }
        };
        let scope = Self::scope(&flow).with_agg(ty.clone());
        let add = self.step_expression(&operation.add, "aggregate.add", &scope, &ty);
        let subtract =
            self.subtraction(&flow, operation.subtract.as_deref(), "aggregate", &scope, &ty)?;
        let add = expressions::aggregate(add?);
        let graph = &mut self.compiler.graph;
        let node = match subtract {
            Some(subtract) => {
                let steps = (add, expressions::aggregate(subtract));
                graph.aggregate_table(self.name, flow.node, constant, steps, ty.clone())
            }
            None => graph.aggregate_stream(self.name, flow.node, constant, add, ty.clone()),
        };
        Some(Flow { node, shape: Shape::Table, value: ty, ..flow })
    }

    fn reduce(&mut self, flow: Flow, operation: &Reduce) -> Next {
        self.grouped(&flow, "reduce")?;
        let ty = flow.value.clone();
        let scope = Self::scope(&flow).with_agg(ty.clone());
        let add = self.step_expression(&operation.add, "reduce.add", &scope, &ty);
        let subtract =
            self.subtraction(&flow, operation.subtract.as_deref(), "reduce", &scope, &ty)?;
        let add = expressions::reduce(add?);
        let graph = &mut self.compiler.graph;
        let node = match subtract {
            Some(subtract) => {
                let steps = (add, expressions::aggregate(subtract));
                graph.aggregate_table(self.name, flow.node, Value::Null, steps, ty.clone())
            }
            None => graph.aggregate_stream(self.name, flow.node, Value::Null, add, ty.clone()),
        };
        Some(Flow { node, shape: Shape::Table, value: ty, ..flow })
    }

    /// An aggregate's next value, which must be of the aggregate's type.
    fn step_expression(
        &mut self,
        source: &str,
        field: &str,
        scope: &Scope,
        ty: &Type,
    ) -> Option<Expression> {
        let expression = self.expression(source, field, scope)?;
        let found = expression.type_of();
        if found.fits(ty) && *found != Type::Null {
            return Some(expression);
        }
        let hint = convert(source, found, ty).map_or(String::new(), |hint| format!(": use {hint}"));
        let message = format!("`{source}` is {found} and the aggregate is {ty}{hint}");
        self.report(field, message);
        None
    }

    /// `Some(None)` where there is nothing to subtract.
    fn subtraction(
        &mut self,
        flow: &Flow,
        source: Option<&str>,
        operation: &str,
        scope: &Scope,
        ty: &Type,
    ) -> Option<Option<Expression>> {
        match (flow.shape, source) {
            (Shape::GroupedTable, Some(source)) => {
                let field = format!("{operation}.subtract");
                self.step_expression(source, &field, scope, ty).map(Some)
            }
            (Shape::GroupedTable, None) => {
                let message = format!(
                    "rows of a table leave their group when they change: add {operation}.subtract, for instance agg - value"
                );
                self.report(operation, message);
                None
            }
            (_, Some(_)) => {
                let message = "records of a stream never leave their group: remove subtract, or group a table";
                self.report(&format!("{operation}.subtract"), message);
                None
            }
            (_, None) => Some(None),
        }
    }

    fn make_stream(&mut self, flow: Flow) -> Next {
        if flow.shape != Shape::Table {
            let message = format!(
                "toStream makes a stream of a table, and this is {}: remove the step",
                flow.shape.describe()
            );
            self.report("toStream", message);
            return None;
        }
        let node = self.compiler.graph.stream_of(self.name, flow.node);
        Some(Flow { node, shape: Shape::Stream { key_changed: false }, ..flow })
    }

    fn make_table(&mut self, flow: Flow) -> Next {
        let Shape::Stream { key_changed } = flow.shape else {
            let message = format!(
                "toTable makes a table of a stream, and this is {}: remove the step",
                flow.shape.describe()
            );
            self.report("toTable", message);
            return None;
        };
        let graph = &mut self.compiler.graph;
        let serdes = (Serde::for_type(&flow.key), Serde::for_type(&flow.value));
        let partitioned =
            if key_changed { graph.repartition_stream(self.name, flow.node) } else { flow.node };
        let node = graph.keep_table(self.name, partitioned, serdes);
        Some(Flow { node, shape: Shape::Table, ..flow })
    }
}

fn write(compiler: &mut Compiler, flow: &Flow, to: &Sink, pipeline: &str, path: &str) {
    if !compiler.check_topic(&to.topic, &format!("{path}.to.topic")) {
        return;
    }
    let mut fits = true;
    let mut serde = |declared: Option<Serde>, ty: &Type, what: &str| {
        let serde = declared.unwrap_or_else(|| Serde::for_type(ty));
        let wanted = serde.type_of();
        if serde != Serde::Json && !ty.fits(&wanted) {
            let own = Serde::for_type(ty);
            let hint = convert(what, ty, &wanted).map_or(String::new(), |hint| {
                format!(", or make it a {serde} with {hint} in a step")
            });
            let message = format!(
                "the {what} is {ty} here and {serde} needs {wanted}: declare it as {own}{hint}"
            );
            compiler.report(format!("{path}.to.{what}"), message);
            fits = false;
        }
        serde
    };
    let types = (serde(to.key, &flow.key, "key"), serde(to.value, &flow.value, "value"));
    if let Some(other) = compiler.written.get(&to.topic)
        && *other != types
    {
        let message = format!(
            "another pipeline writes `{}` as {} and {}: use the same types",
            to.topic, other.0, other.1
        );
        compiler.report(format!("{path}.to"), message);
        fits = false;
    }
    compiler.written.insert(to.topic.clone(), types);
    if fits {
        let name = format!("{pipeline}-to");
        compiler.graph.write_topic(&name, flow.node, &to.topic, types.0, types.1);
    }
}
