//! NumPy's `.npy` files: a short Python dictionary that tells kind, order and shape, then the values.
//!
//! Read: versions 1 to 3, `f4 f8 u1 i1 u2 i2 u4 i4 u8 i8 b1`, both byte orders, C and Fortran order. Written: version 1, little
//! endian, C order. Format: NumPy enhancement proposal 1 and `numpy.lib.format`.

use crate::decode::{ByteOrder, Fault, fill, read_values};
use crate::error::TensorError;
use crate::sniff::Format;
use crate::tensor::{Tensor, checked_len};
use crate::values::{Element, Kind, Values, each};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

/// The longest header that is read; NumPy's own limit is 10 000.
const HEADER_LIMIT: usize = 1 << 16;

/// Reads the array in the `.npy` file at `path`.
///
/// Fails if the file cannot be read, is of another format, holds another kind of value, or is shorter or longer than its
/// header says.
pub fn read(path: &Path) -> Result<Tensor, TensorError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| TensorError::read(&name, e))?;
    let about = file.metadata().map_err(|e| TensorError::read(&name, e))?;
    decode(BufReader::new(file), &name, about.is_file().then_some(about.len()))
}

/// Reads an array from a stream that holds nothing else. `name` is for errors; `held` is how many bytes the stream holds, if
/// that is known for certain.
pub fn decode(mut reader: impl Read, name: &str, held: Option<u64>) -> Result<Tensor, TensorError> {
    let (header, header_len) = read_header(&mut reader, name)?;
    let count = checked_len(&header.shape)
        .map_err(|_| TensorError::damaged(name, format!("its shape {:?} overflows", header.shape)))?;
    let promised = count as u128 * header.kind.bytes() as u128;
    let what = || format!("{} values of shape {:?}", header.kind, header.shape);
    let truncated = |held| TensorError::Truncated { file: name.to_string(), what: what(), promised, held };
    let surplus = |extra| TensorError::Surplus { file: name.to_string(), what: what(), promised, extra };
    if let Some(held) = held {
        let held = held.saturating_sub(header_len as u64);
        if u128::from(held) < promised {
            return Err(truncated(held));
        }
        if u128::from(held) > promised {
            return Err(surplus(held.to_string()));
        }
    }
    let values = match read_values(&mut reader, header.kind, count, header.order, held.is_some()) {
        Ok(values) => values,
        Err(Fault::Short(held)) => return Err(truncated(held)),
        Err(Fault::NotBool(at, byte)) => {
            return Err(TensorError::damaged(name, format!("value {at} of its booleans is {byte}, not 0 or 1")));
        }
        Err(Fault::Io(error)) => return Err(stream_error(name, error)),
    };
    if fill(&mut reader, &mut [0]).map_err(|e| stream_error(name, e))? > 0 {
        return Err(surplus("more".to_string()));
    }
    let values = if header.fortran { from_column_major(&values, &header.shape) } else { values };
    Tensor::new(header.shape, values)
}

/// A stream that decompresses reports damage as an error of input, not of the system.
pub(crate) fn stream_error(name: &str, error: io::Error) -> TensorError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            TensorError::damaged(name, error.to_string())
        }
        _ => TensorError::read(name, error),
    }
}

/// Writes an array in NPY form.
pub fn encode(x: &Tensor, out: &mut impl Write) -> io::Result<()> {
    let descr = match x.kind() {
        Kind::F32 => "<f4",
        Kind::F64 => "<f8",
        Kind::U8 => "|u1",
        Kind::I8 => "|i1",
        Kind::U16 => "<u2",
        Kind::I16 => "<i2",
        Kind::U32 => "<u4",
        Kind::I32 => "<i4",
        Kind::U64 => "<u8",
        Kind::I64 => "<i8",
        Kind::Bool => "|b1",
    };
    let sizes: Vec<String> = x.shape().iter().map(usize::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}", sizes.join(", "));
    // The values start at a multiple of 64 bytes, as NumPy wants it for memory maps.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
    header.push('\n');
    let length =
        u16::try_from(header.len()).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "too many dimensions"))?;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    write_values(x.values(), out)
}

/// Writes the array to a file, all or nothing.
pub fn write(path: &Path, x: &Tensor) -> Result<(), TensorError> {
    crate::write_atomic(path, |out| encode(x, out)).map_err(|source| TensorError::Io {
        action: "write",
        file: path.display().to_string(),
        source,
    })
}

/// Writes values little end first, a piece at a time.
pub(crate) fn write_values(values: &Values, out: &mut impl Write) -> io::Result<()> {
    fn pieces<T: Element>(list: &[T], out: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(1 << 16);
        for piece in list.chunks((1 << 16) / T::KIND.bytes()) {
            bytes.clear();
            piece.iter().for_each(|&x| x.push_le(&mut bytes));
            out.write_all(&bytes)?;
        }
        Ok(())
    }
    each!(values, list => pieces(list, out))
}

struct Header {
    kind: Kind,
    order: ByteOrder,
    fortran: bool,
    shape: Vec<usize>,
}

/// The header and how many bytes it took.
fn read_header(reader: &mut impl Read, name: &str) -> Result<(Header, usize), TensorError> {
    let short = |part: &str| TensorError::damaged(name, format!("it ends inside its {part}"));
    let mut head = Vec::new();
    let mut take = |n: usize, part: &str| -> Result<Vec<u8>, TensorError> {
        let mut bytes = vec![0; n];
        let held = fill(reader, &mut bytes).map_err(|e| stream_error(name, e))?;
        bytes.truncate(held);
        head.extend_from_slice(&bytes);
        let foreign =
            head.len() >= 6 && !head.starts_with(b"\x93NUMPY") || !b"\x93NUMPY".starts_with(&head[..head.len().min(6)]);
        if head.is_empty() || foreign {
            return Err(TensorError::Foreign {
                file: name.to_string(),
                expected: "an NPY file",
                found: Format::of(&head),
            });
        }
        if held < n { Err(short(part)) } else { Ok(bytes) }
    };
    let start = take(10, "first bytes")?;
    let (version, mut length, mut used) = (start[6], usize::from(u16::from_le_bytes([start[8], start[9]])), 10);
    match version {
        1 => {}
        2 | 3 => {
            let more = take(2, "first bytes")?;
            length = u32::from_le_bytes([start[8], start[9], more[0], more[1]]) as usize;
            used = 12;
        }
        _ => {
            return Err(TensorError::Unsupported {
                file: name.to_string(),
                what: format!("NPY data of version {version}"),
                help: "versions 1, 2 and 3 are; save the array again with a current NumPy".to_string(),
            });
        }
    }
    if length > HEADER_LIMIT {
        return Err(TensorError::damaged(name, format!("its header claims {length} bytes, more than {HEADER_LIMIT}")));
    }
    let text = take(length, "header")?;
    let text = std::str::from_utf8(&text).map_err(|_| TensorError::damaged(name, "its header is not text"))?;
    let fields = Parser { text, at: 0 }
        .dictionary()
        .map_err(|problem| TensorError::damaged(name, format!("its header {:?} {problem}", text.trim_end())))?;
    let (kind, order) = number_kind(&fields.descr, name)?;
    Ok((Header { kind, order, fortran: fields.fortran, shape: fields.shape }, used + length))
}

fn number_kind(descr: &str, name: &str) -> Result<(Kind, ByteOrder), TensorError> {
    let native = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
    let (order, code) = match descr.split_at_checked(1) {
        Some(("<", code)) => (ByteOrder::Little, code),
        Some((">", code)) => (ByteOrder::Big, code),
        Some(("|" | "=", code)) => (native, code),
        _ => (native, descr),
    };
    let kind = match code {
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        "u1" => Kind::U8,
        "i1" => Kind::I8,
        "u2" => Kind::U16,
        "i2" => Kind::I16,
        "u4" => Kind::U32,
        "i4" => Kind::I32,
        "u8" => Kind::U64,
        "i8" => Kind::I64,
        "b1" => Kind::Bool,
        _ => {
            let what = match code.chars().next() {
                Some('f') => format!("floating point of type {descr:?}"),
                Some('c') => format!("complex numbers ({descr:?})"),
                Some('O') => "Python objects".to_string(),
                Some('U' | 'S' | 'a') => format!("text ({descr:?})"),
                Some('M' | 'm') => format!("dates or times ({descr:?})"),
                _ => format!("values of type {descr:?}"),
            };
            return Err(TensorError::Unsupported {
                file: name.to_string(),
                what,
                help: "save it as numbers, for instance x.astype('float32')".to_string(),
            });
        }
    };
    Ok((kind, order))
}

struct Fields {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

/// Reads the header's dictionary: only the three keys, only the literals that NumPy writes.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn dictionary(mut self) -> Result<Fields, String> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.accept('}') {
            let key = self.string()?;
            self.expect(':')?;
            match key.as_str() {
                "descr" if descr.is_none() => descr = Some(self.descr()?),
                "fortran_order" if fortran.is_none() => fortran = Some(self.boolean()?),
                "shape" if shape.is_none() => shape = Some(self.tuple()?),
                _ => return Err(format!("has an unexpected or repeated key {key:?}")),
            }
            if !self.accept(',') {
                self.expect('}')?;
                break;
            }
        }
        self.skip_space();
        if self.at < self.text.len() {
            return Err(format!("goes on after its dictionary at byte {}", self.at));
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Fields { descr, fortran, shape }),
            (None, ..) => Err("lacks the key \"descr\"".to_string()),
            (_, None, _) => Err("lacks the key \"fortran_order\"".to_string()),
            _ => Err("lacks the key \"shape\"".to_string()),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.accept(wanted) { Ok(()) } else { Err(format!("should have {wanted:?} at byte {}", self.at)) }
    }

    fn string(&mut self) -> Result<String, String> {
        self.skip_space();
        let Some(quote @ ('\'' | '"')) = self.rest().chars().next() else {
            return Err(format!("should have a quoted word at byte {}", self.at));
        };
        let body = &self.rest()[1..];
        let end = body.find(quote).ok_or_else(|| format!("has an open quote at byte {}", self.at))?;
        let word = body[..end].to_string();
        self.at += end + 2;
        Ok(word)
    }

    /// A type word, or the raw text of a list: a structured type, which is refused later by name.
    fn descr(&mut self) -> Result<String, String> {
        self.skip_space();
        if !self.rest().starts_with('[') {
            return self.string();
        }
        let end = self.rest().rfind(']').ok_or_else(|| format!("has an open '[' at byte {}", self.at))?;
        let list = self.rest()[..=end].to_string();
        self.at += end + 1;
        Ok(list)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(format!("should have True or False at byte {}", self.at))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut sizes = Vec::new();
        while !self.accept(')') {
            self.skip_space();
            let digits = self.rest().len() - self.rest().trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let word = &self.rest()[..digits];
            let size = word.parse().map_err(|_| format!("has no size that fits at byte {}", self.at))?;
            self.at += digits;
            // Python 2 wrote long numbers with an L.
            self.at += usize::from(self.rest().starts_with('L'));
            sizes.push(size);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}

/// Row-major values from column-major ones, where the first index moves fastest.
fn from_column_major(values: &Values, shape: &[usize]) -> Values {
    fn reorder<T: Element>(list: &[T], shape: &[usize]) -> Values {
        let mut strides = Vec::with_capacity(shape.len());
        let mut stride = 1;
        for &size in shape {
            strides.push(stride);
            stride *= size;
        }
        let mut index = vec![0; shape.len()];
        let mut from = 0;
        let mut out = Vec::with_capacity(list.len());
        for _ in 0..list.len() {
            out.push(list[from]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                from += strides[axis];
                if index[axis] < shape[axis] {
                    break;
                }
                from -= strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
        T::wrap(out)
    }
    each!(values, list => reorder(list, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, fortran: &str, shape: &str, body: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(body);
        bytes
    }

    fn error(bytes: &[u8]) -> String {
        let known = decode(bytes, "x.npy", Some(bytes.len() as u64)).unwrap_err().to_string();
        known.replace(&bytes.len().to_string(), "LEN")
    }

    #[test]
    fn what_is_written_is_read() {
        for x in [
            Tensor::new([2, 3], vec![1.5f64, -2.0, f64::MAX, 0.0, -0.0, 1e-300]).unwrap(),
            Tensor::new([], vec![7i64]).unwrap(),
            Tensor::new([0, 5], Vec::<f32>::new()).unwrap(),
            Tensor::vector(vec![true, false, true]),
            Tensor::vector(vec![u64::MAX]),
        ] {
            let mut bytes = Vec::new();
            encode(&x, &mut bytes).unwrap();
            assert_eq!(decode(&bytes[..], "x", Some(bytes.len() as u64)).unwrap(), x);
            assert_eq!(decode(&bytes[..], "x", None).unwrap(), x);
        }
    }

    #[test]
    fn fortran_order_and_big_end_first() {
        let bytes = file("'>u2'", "True", "(2, 3)", &[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]);
        assert_eq!(decode(&bytes[..], "x", None).unwrap(), Tensor::new([2, 3], vec![1u16, 3, 5, 2, 4, 6]).unwrap());
    }

    #[test]
    fn messages() {
        assert_eq!(
            error(&file("'<f8'", "False", "(1000000000, 1000)", &[0; 16])),
            "x.npy is cut short: its header promises f64 values of shape [1000000000, 1000], 8000000000000 bytes, but only 16 \
             follow; copy or download it again"
        );
        assert_eq!(
            error(&file("'<f8'", "False", "(1,)", &[0; 9])),
            "x.npy goes on after its end: its header promises f64 values of shape [1], 8 bytes, but 9 follow; the file is \
             damaged or several files were joined"
        );
        assert_eq!(
            error(&file("'<f8'", "False", "(9999999999, 9999999999, 9999999999)", &[])),
            "x.npy is damaged: its shape [9999999999, 9999999999, 9999999999] overflows; copy, download or write it again"
        );
        assert_eq!(
            error(&file("'|O'", "False", "(1,)", &[0; 9])),
            "x.npy holds Python objects, which is not supported; save it as numbers, for instance x.astype('float32')"
        );
        assert_eq!(
            error(&file("[('a', '<f4')]", "False", "(1,)", &[0; 4])),
            "x.npy holds values of type \"[('a', '<f4')]\", which is not supported; save it as numbers, for instance \
             x.astype('float32')"
        );
        assert_eq!(
            error(&file("'<f4'", "Maybe", "(1,)", &[0; 4])),
            "x.npy is damaged: its header \"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }\" should have True or \
             False at byte 34; copy, download or write it again"
        );
        assert_eq!(error(b""), "x.npy is not an NPY file: it looks like an empty file");
        assert_eq!(error(b"a,b\n1,2\n"), "x.npy is not an NPY file: it looks like text, perhaps CSV");
        assert_eq!(
            error(b"\x93NUM"),
            "x.npy is damaged: it ends inside its first bytes; copy, download or write it again"
        );
        assert_eq!(
            error(&file("'|b1'", "False", "(2,)", &[1, 2])),
            "x.npy is damaged: value 1 of its booleans is 2, not 0 or 1; copy, download or write it again"
        );
    }
}
