//! The messages of an ONNX file, by their tags in the format's `onnx.proto` (IR version 13). Fields that nothing here uses are left out:
//! a reader skips tags that it does not know.

use prost::{Enumeration, Message, Oneof};

/// A file: a graph, the versions of the operators it uses, and who made it.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// The version of the format itself.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The version of each domain's operators.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// The program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Its version.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The namespace of the model.
    #[prost(string, tag = "4")]
    pub domain: String,
    /// The version of the model.
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    /// A description for people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// What is computed.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Text by key.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Functions of the model's own.
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// A domain of operators and its version.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// The domain; empty for ONNX's own operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// Text by key.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes in the order of computation, with inputs, outputs and stored values.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// The nodes; each one's inputs are known before it.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Stored values: weights and constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Stored values, of which most are 0.
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
    /// A description for people.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// The inputs; old files name their stored values here too.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// The outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Types of values in between.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Text by key.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// One application of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the inputs; empty for one left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the outputs; empty for one not wanted.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// The name, for people.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its domain; empty for ONNX's own.
    #[prost(string, tag = "7")]
    pub domain: String,
    /// Which of several functions of one name.
    #[prost(string, tag = "8")]
    pub overload: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// A description for people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
}

/// A setting of a node.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// In a function: the attribute of the function that gives the value.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// Which of the fields below holds the value.
    #[prost(enumeration = "AttributeType", tag = "20")]
    pub r#type: i32,
    /// A number.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// A whole number.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// Text.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// A graph: the body of a loop or of a branch.
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    /// A tensor of which most values are 0.
    #[prost(message, optional, tag = "22")]
    pub sparse_tensor: Option<SparseTensorProto>,
    /// A type.
    #[prost(message, optional, tag = "14")]
    pub tp: Option<TypeProto>,
    /// Numbers.
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    /// Whole numbers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// Tensors.
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// Graphs.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
}

/// What an attribute holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Enumeration)]
#[repr(i32)]
pub enum AttributeType {
    /// Not said (files before IR version 2).
    Undefined = 0,
    /// `f`
    Float = 1,
    /// `i`
    Int = 2,
    /// `s`
    String = 3,
    /// `t`
    Tensor = 4,
    /// `g`
    Graph = 5,
    /// `floats`
    Floats = 6,
    /// `ints`
    Ints = 7,
    /// `strings`
    Strings = 8,
    /// `tensors`
    Tensors = 9,
    /// `graphs`
    Graphs = 10,
    /// `sparse_tensor`
    SparseTensor = 11,
    /// Several sparse tensors.
    SparseTensors = 12,
    /// `tp`
    TypeProto = 13,
    /// Several types.
    TypeProtos = 14,
}

/// A stored tensor: its values lie in the field of their kind, in `raw_data` (least significant byte first), or in a file beside.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// The sizes.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// The kind of number, see [`DataType`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Which part of a tensor these values are.
    #[prost(message, optional, tag = "3")]
    pub segment: Option<Segment>,
    /// `f32` and `complex64`.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// All kinds of up to 32 bits other than `f32` and `u32`; half precision as its bits.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    /// `i64`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// The name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// A description for people.
    #[prost(string, tag = "12")]
    pub doc_string: String,
    /// Bytes of any kind but texts.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// Where the values lie: `location`, `offset`, `length`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 1 if the values lie in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
    /// `f64` and `complex128`.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// `u32` and `u64`.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
}

/// A piece of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Segment {
    /// The first element.
    #[prost(int64, tag = "1")]
    pub begin: i64,
    /// The element after the last.
    #[prost(int64, tag = "2")]
    pub end: i64,
}

/// The kind of number of a tensor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum DataType {
    /// Not said.
    Undefined = 0,
    /// 32-bit floating point.
    Float = 1,
    /// 8-bit unsigned.
    Uint8 = 2,
    /// 8-bit.
    Int8 = 3,
    /// 16-bit unsigned.
    Uint16 = 4,
    /// 16-bit.
    Int16 = 5,
    /// 32-bit.
    Int32 = 6,
    /// 64-bit.
    Int64 = 7,
    /// Text.
    String = 8,
    /// True or false.
    Bool = 9,
    /// IEEE half precision.
    Float16 = 10,
    /// 64-bit floating point.
    Double = 11,
    /// 32-bit unsigned.
    Uint32 = 12,
    /// 64-bit unsigned.
    Uint64 = 13,
    /// Two 32-bit floating point numbers.
    Complex64 = 14,
    /// Two 64-bit floating point numbers.
    Complex128 = 15,
    /// The upper half of a 32-bit floating point number.
    Bfloat16 = 16,
    /// 8-bit floating point, 4 bits of exponent, finite.
    Float8e4m3fn = 17,
    /// 8-bit floating point, 4 bits of exponent, finite, one zero.
    Float8e4m3fnuz = 18,
    /// 8-bit floating point, 5 bits of exponent.
    Float8e5m2 = 19,
    /// 8-bit floating point, 5 bits of exponent, finite, one zero.
    Float8e5m2fnuz = 20,
    /// 4-bit unsigned.
    Uint4 = 21,
    /// 4-bit.
    Int4 = 22,
    /// 4-bit floating point.
    Float4e2m1 = 23,
    /// A power of two.
    Float8e8m0 = 24,
    /// 2-bit unsigned.
    Uint2 = 25,
    /// 2-bit.
    Int2 = 26,
}

/// A tensor of which most values are 0.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorProto {
    /// The values that are stored, under the tensor's name.
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    /// Where they belong: `[n]` places in row-major order or `[n, rank]` coordinates.
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    /// The sizes.
    #[prost(int64, repeated, tag = "3")]
    pub dims: Vec<i64>,
}

/// A value's name and type.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// A description for people.
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

/// A type.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// Which one.
    #[prost(oneof = "TypeValue", tags = "1, 4, 5, 9, 8")]
    pub value: Option<TypeValue>,
    /// What the value stands for.
    #[prost(string, tag = "6")]
    pub denotation: String,
}

/// The types there are.
#[derive(Clone, PartialEq, Oneof)]
pub enum TypeValue {
    /// A tensor.
    #[prost(message, tag = "1")]
    Tensor(TensorType),
    /// A list of values of one type.
    #[prost(message, tag = "4")]
    Sequence(Box<ElementType>),
    /// A dictionary.
    #[prost(message, tag = "5")]
    Map(Box<MapType>),
    /// A value that may be missing.
    #[prost(message, tag = "9")]
    Optional(Box<ElementType>),
    /// A tensor of which most values are 0.
    #[prost(message, tag = "8")]
    SparseTensor(TensorType),
}

/// A tensor's kind of number and sizes.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// The kind, see [`DataType`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// The sizes, if their number is known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// The type of what a list or an optional value holds.
#[derive(Clone, PartialEq, Message)]
pub struct ElementType {
    /// That type.
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// The types of a dictionary.
#[derive(Clone, PartialEq, Message)]
pub struct MapType {
    /// Of its keys.
    #[prost(int32, tag = "1")]
    pub key_type: i32,
    /// Of its values.
    #[prost(message, optional, boxed, tag = "2")]
    pub value_type: Option<Box<TypeProto>>,
}

/// Sizes, known or named.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// One for each axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// One size.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// The size or its name; neither if nothing is known.
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
    /// What the axis stands for.
    #[prost(string, tag = "3")]
    pub denotation: String,
}

/// A size or its name.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum DimensionValue {
    /// The size.
    #[prost(int64, tag = "1")]
    Value(i64),
    /// A name: equal names are equal sizes.
    #[prost(string, tag = "2")]
    Param(String),
}

/// A function of the model's own: nodes that stand for one operator.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionProto {
    /// The operator's name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Names of the inputs.
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    /// Names of the outputs.
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    /// Names of attributes without a usual value.
    #[prost(string, repeated, tag = "6")]
    pub attribute: Vec<String>,
    /// Attributes with their usual values.
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<AttributeProto>,
    /// The body.
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    /// The version of each domain's operators in the body.
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// The domain.
    #[prost(string, tag = "10")]
    pub domain: String,
    /// Which of several functions of one name.
    #[prost(string, tag = "13")]
    pub overload: String,
}
