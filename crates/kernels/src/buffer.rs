//! Aligned memory that a run works in.

use crate::Real;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
/// Bytes of a large page.
const HUGE: usize = 2 << 20;

/// Elements that start at a multiple of 64 bytes. Every page has been written, so that no page fault falls into a run. Large buffers ask the
/// system for large pages: each covers 2 MiB, so that the processor finds the memory of a whole step without searching page tables.
///
/// ```
/// use gradus_kernels::Buffer;
/// let mut x = Buffer::<f32>::zeroed(3);
/// x[1] = 2.0;
/// assert_eq!(&x[..], [0.0, 2.0, 0.0]);
/// ```
pub struct Buffer<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: a buffer owns its elements, like a `Vec`.
unsafe impl<T: Send> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Buffer<T> {}

impl<T: Real> Buffer<T> {
    /// The alignment in bytes: a cache line, and the widest vector.
    pub const ALIGNMENT: usize = LINE;

    /// A buffer of zeros. Ends the program if there is not memory enough.
    ///
    /// # Panics
    /// If the size in bytes does not fit the address space.
    pub fn zeroed(len: usize) -> Buffer<T> {
        Self::try_zeroed(len)
            .unwrap_or_else(|| handle_alloc_error(Self::layout(len).expect("a buffer fits the address space")))
    }

    /// A buffer of zeros, if there is memory enough.
    pub fn try_zeroed(len: usize) -> Option<Buffer<T>> {
        if len == 0 {
            return Some(Buffer { start: NonNull::dangling(), len });
        }
        let layout = Self::layout(len)?;
        // SAFETY: the layout has a size above 0.
        let start = NonNull::new(unsafe { alloc(layout) }.cast::<T>())?;
        if layout.align() == HUGE {
            wish_for_huge_pages(start.as_ptr().cast(), layout.size());
        }
        // SAFETY: `len` elements were allocated, and zero bytes are the number 0 in every `Real`. The bytes are written rather
        // than taken as zeroed pages from the system, so that every page is there from now on.
        unsafe { start.as_ptr().cast::<u8>().write_bytes(0, layout.size()) };
        Some(Buffer { start, len })
    }

    /// Whether the system would give as much memory, as far as it can tell before the memory is used.
    ///
    /// ```
    /// use gradus_kernels::Buffer;
    /// assert!(Buffer::<f32>::fits(1000));
    /// assert!(!Buffer::<f32>::fits(usize::MAX / 8));
    /// ```
    pub fn fits(len: usize) -> bool {
        if len == 0 {
            return true;
        }
        let Some(layout) = Self::layout(len) else { return false };
        // SAFETY: the layout has a size above 0.
        let start = std::hint::black_box(unsafe { alloc(layout) });
        if start.is_null() {
            return false;
        }
        // SAFETY: allocated just now with the same layout.
        unsafe { dealloc(start, layout) };
        true
    }

    /// None if the size in bytes does not fit the address space.
    fn layout(len: usize) -> Option<Layout> {
        let bytes = len.checked_mul(size_of::<T>())?;
        Layout::from_size_align(bytes, alignment(bytes)).ok()
    }
}

/// Large pages start at multiples of their size.
fn alignment(bytes: usize) -> usize {
    if bytes >= 2 * HUGE { HUGE } else { LINE }
}

/// Asks the system to back a buffer by large pages. What it answers does not matter: the memory is the same.
#[cfg(target_os = "linux")]
fn wish_for_huge_pages(start: *mut u8, bytes: usize) {
    // SAFETY: the range was just allocated, starts at a multiple of the page size, and the advice does not change what it holds.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn wish_for_huge_pages(_: *mut u8, _: usize) {}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialised elements, borrowed as long as the buffer is.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `len` initialised elements, borrowed mutably as long as the buffer is.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Real> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let mut copy = Buffer::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Real> Default for Buffer<T> {
    fn default() -> Self {
        Buffer::zeroed(0)
    }
}

impl<T: Real> From<&[T]> for Buffer<T> {
    fn from(values: &[T]) -> Self {
        let mut buffer = Buffer::zeroed(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<T: fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the same size and alignment as at the allocation, which checked them.
            unsafe {
                let bytes = self.len * size_of::<T>();
                let layout = Layout::from_size_align_unchecked(bytes, alignment(bytes));
                dealloc(self.start.as_ptr().cast(), layout);
            }
        }
    }
}
