//! Turns what schemars makes of a Rust type into a structural schema as the API server demands it.
//!
//! References are inlined, `Option` loses its null, enums become lists of names under the description of the field
//! that has them, lists are atomic unless they say otherwise, and defaults disappear.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The structural schema of a type.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::openapi3()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
            settings.transforms.clear();
        })
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    restructure(&mut schema);
    schema
}

fn restructure(schema: &mut Value) {
    let Some(node) = schema.as_object_mut() else {
        return;
    };
    drop_null(node);
    for key in ["title", "$schema", "definitions", "components", "default"] {
        node.remove(key);
    }
    if node.contains_key("x-kubernetes-int-or-string") {
        reflow(node);
        return;
    }
    names_of_variants(node);
    reflow(node);
    if node.get("type") == Some(&json!("array")) && !node.contains_key("x-kubernetes-list-type") {
        node.insert("x-kubernetes-list-type".to_owned(), json!("atomic"));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = node.get_mut(key) {
            restructure(child);
        }
    }
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(restructure);
    }
}

/// `T | null` becomes `T`; what is said beside it, such as the field's description, wins over what T says.
fn drop_null(node: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = node.get("type") {
        let rest: Vec<&Value> = types.iter().filter(|type_| *type_ != "null").collect();
        if let [only] = rest.as_slice() {
            let only = (*only).clone();
            node.insert("type".to_owned(), only);
        }
    }
    let alternatives = match node.get("anyOf") {
        Some(Value::Array(alternatives)) => alternatives,
        _ => return,
    };
    let mut rest = alternatives
        .iter()
        .filter(|alternative| alternative.get("type") != Some(&json!("null")));
    let (Some(Value::Object(only)), None, true) =
        (rest.next(), rest.next(), alternatives.len() == 2)
    else {
        return;
    };
    let inner = only.clone();
    node.remove("anyOf");
    for (key, value) in inner {
        node.entry(key).or_insert(value);
    }
}

/// `oneOf` constants, which carry the variants' documentation, become `enum`.
fn names_of_variants(node: &mut Map<String, Value>) {
    let names: Option<Vec<Value>> = match node.get("oneOf") {
        Some(Value::Array(variants)) => variants
            .iter()
            .map(|variant| variant.get("const").cloned())
            .collect(),
        _ => return,
    };
    if let Some(names) = names {
        node.remove("oneOf");
        node.insert("type".to_owned(), json!("string"));
        node.insert("enum".to_owned(), Value::Array(names));
    }
}

/// Lines of a doc comment are one paragraph.
fn reflow(node: &mut Map<String, Value>) {
    if let Some(Value::String(description)) = node.get_mut("description") {
        *description = description.replace('\n', " ");
    }
}
