//! Values from a stream of bytes. Memory grows with what has really been read, never with what a header says.

use crate::values::{Element, Kind, Values, each_kind};
use std::io::{self, Read};

/// Which byte of a number comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteOrder {
    /// The least significant.
    Little,
    /// The most significant.
    Big,
}

/// Why values could not be read.
#[derive(Debug)]
pub enum Fault {
    /// The stream ended: this many bytes had come.
    Short(u64),
    /// A byte of a `bool` was neither 0 nor 1: its position and value.
    NotBool(u64, u8),
    /// The stream failed.
    Io(io::Error),
}

const CHUNK: usize = 1 << 16;

/// Reads exactly `count` values from a stream.
///
/// With `known` the caller vouches that the stream holds them, and the list is allocated at once; otherwise it grows as bytes
/// come.
pub fn read_values(
    reader: &mut impl Read,
    kind: Kind,
    count: usize,
    order: ByteOrder,
    known: bool,
) -> Result<Values, Fault> {
    each_kind!(kind, T => read_list::<T>(reader, count, order, known).map(T::wrap))
}

fn read_list<T: Element>(reader: &mut impl Read, count: usize, order: ByteOrder, known: bool) -> Result<Vec<T>, Fault> {
    let size = T::KIND.bytes();
    let mut list = Vec::with_capacity(if known { count } else { count.min(CHUNK / size) });
    let mut buffer = vec![0u8; CHUNK.min(count.saturating_mul(size))];
    let mut done = 0u64;
    while list.len() < count {
        let want = buffer.len().min((count - list.len()).saturating_mul(size));
        let bytes = &mut buffer[..want];
        let held = fill(reader, bytes).map_err(Fault::Io)?;
        if held < want {
            return Err(Fault::Short(done + held as u64));
        }
        let broken = if T::KIND == Kind::Bool { bytes.iter().position(|&byte| byte > 1) } else { None };
        if let Some(at) = broken {
            return Err(Fault::NotBool(done + at as u64, bytes[at]));
        }
        if order == ByteOrder::Big {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        list.extend(bytes.chunks_exact(size).map(T::from_bytes));
        done += want as u64;
    }
    Ok(list)
}

/// Reads until `bytes` is full or the stream ends, and says how many came.
pub fn fill(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut held = 0;
    while held < bytes.len() {
        match reader.read(&mut bytes[held..]) {
            Ok(0) => break,
            Ok(n) => held += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A compressed stream that is cut short reports this; to the caller it is an end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders() {
        let bytes = [1u8, 2, 3, 4];
        let little = read_values(&mut &bytes[..], Kind::U16, 2, ByteOrder::Little, false).unwrap();
        let big = read_values(&mut &bytes[..], Kind::U16, 2, ByteOrder::Big, true).unwrap();
        assert_eq!(little, Values::U16(vec![0x0201, 0x0403]));
        assert_eq!(big, Values::U16(vec![0x0102, 0x0304]));
    }

    #[test]
    fn a_short_stream_costs_no_memory() {
        let fault = read_values(&mut &[0u8; 12][..], Kind::F64, usize::MAX, ByteOrder::Little, false).unwrap_err();
        assert!(matches!(fault, Fault::Short(12)));
        let fault = read_values(&mut &[1u8, 0, 7][..], Kind::Bool, 3, ByteOrder::Little, false).unwrap_err();
        assert!(matches!(fault, Fault::NotBool(2, 7)));
    }
}
