//! The metadata of a GGUF header as the scan read it, with access by the type llama.cpp requires.
//!
//! llama.cpp throws an exception, or asserts, if a value has another type than it expects. The
//! checks read values here instead and get an error that names the key and both types. Long arrays
//! are represented by their offset in the file only, from which a caller reads the items.

/// GGUF's numbers for the value types that are used by number.
pub const U32: u32 = 4;
pub const I32: u32 = 5;
pub const F32: u32 = 6;
pub const BOOL: u32 = 7;
pub const TEXT: u32 = 8;
pub const ARRAY: u32 = 9;

const NAMES: [&str; 13] =
    ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "text", "array", "u64", "i64", "f64"];

/// A key of the header with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataEntry {
    /// The key: not empty, and without zero bytes.
    pub name: String,
    /// GGUF's number for the type of the value.
    pub kind: u32,
    pub value: MetadataValue,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataValue {
    /// An integer of any width; large enough for 64 bits, signed or unsigned.
    Whole(i128),
    /// A float of either width.
    Float(f64),
    Bool(bool),
    /// A string without zero bytes.
    Text(String),
    Array(MetadataArray),
}

/// A list of values of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataArray {
    /// GGUF's number for the type of the items.
    pub item: u32,
    /// The number of items.
    pub items: u64,
    /// The offset of the first item in the file.
    pub at: u64,
    /// The items, if they are 32-bit integers and not more than a model may have layers; else
    /// empty.
    pub numbers: Vec<i64>,
}

/// All entries of a header, in file order and with unique names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub Vec<MetadataEntry>);

impl Metadata {
    /// Returns the entry with this name.
    pub fn get(&self, name: &str) -> Option<&MetadataEntry> {
        self.0.iter().find(|key| key.name == name)
    }

    /// Returns an unsigned 32-bit integer, or `None` if the key is missing.
    ///
    /// # Errors
    /// A message that names the key and both types if the value has another type. The other getters
    /// behave in the same way.
    pub fn u32(&self, name: &str) -> Result<Option<u32>, String> {
        Ok(self.typed(name, U32)?.and_then(|value| match value {
            MetadataValue::Whole(number) => u32::try_from(*number).ok(),
            _ => None,
        }))
    }

    /// Returns a 32-bit float, which must be finite.
    pub fn f32(&self, name: &str) -> Result<Option<f64>, String> {
        match self.typed(name, F32)? {
            Some(MetadataValue::Float(number)) if number.is_finite() => Ok(Some(*number)),
            Some(_) => Err(format!("key '{}' is not a finite number", name.escape_debug())),
            None => Ok(None),
        }
    }

    pub fn bool(&self, name: &str) -> Result<Option<bool>, String> {
        Ok(self.typed(name, BOOL)?.map(|value| *value == MetadataValue::Bool(true)))
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, String> {
        Ok(self.typed(name, TEXT)?.and_then(|value| match value {
            MetadataValue::Text(text) => Some(text.as_str()),
            _ => None,
        }))
    }

    /// Returns a list whose items have one of the types `items`.
    pub fn array(&self, name: &str, items: &[u32]) -> Result<Option<&MetadataArray>, String> {
        match self.typed(name, ARRAY)? {
            Some(MetadataValue::Array(array)) if items.contains(&array.item) => Ok(Some(array)),
            Some(MetadataValue::Array(array)) => Err(format!(
                "key '{}' is a list of type {}, but {} is required",
                name.escape_debug(),
                kind_name(array.item),
                items.iter().map(|&item| kind_name(item)).collect::<Vec<_>>().join(" or ")
            )),
            _ => Ok(None),
        }
    }

    /// Returns the values of a key that holds either one number for all layers, or a list with one
    /// per layer.
    pub fn per_layer(&self, name: &str, layers: u32) -> Result<Option<Vec<i64>>, String> {
        match self.get(name).map(|key| key.kind) {
            Some(ARRAY) => {}
            _ => return Ok(self.u32(name)?.map(|number| vec![i64::from(number)])),
        }
        let Some(array) = self.array(name, &[U32, I32])? else { return Ok(None) };
        if array.items != u64::from(layers) || array.numbers.iter().any(|&number| number < 0) {
            let name = name.escape_debug();
            return Err(format!("key '{name}' is not a list of {layers} counts, one per layer"));
        }
        Ok(Some(array.numbers.clone()))
    }

    fn typed(&self, name: &str, kind: u32) -> Result<Option<&MetadataValue>, String> {
        match self.get(name) {
            Some(key) if key.kind == kind => Ok(Some(&key.value)),
            Some(key) => Err(format!(
                "key '{}' has type {}, but {} is required",
                name.escape_debug(),
                kind_name(key.kind),
                kind_name(kind)
            )),
            None => Ok(None),
        }
    }
}

fn kind_name(kind: u32) -> &'static str {
    NAMES.get(kind as usize).copied().unwrap_or("unknown")
}
