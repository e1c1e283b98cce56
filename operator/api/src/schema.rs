//! Pieces of schema that a derive cannot say.

use k8s_openapi::schemars::{Schema, SchemaGenerator, json_schema};

/// `metav1.Condition` as a list keyed by type, with the bounds of the Kubernetes API conventions, which the derived
/// schema of the Rust type leaves out.
pub fn condition_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the state, as in metav1.Condition.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "Which aspect."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds."},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0, "description": "The generation this was judged for."},
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When the status last flipped."},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Why, in one word."},
                "message": {"type": "string", "maxLength": 32768, "description": "Why, and what to do."}
            }
        }
    })
}
