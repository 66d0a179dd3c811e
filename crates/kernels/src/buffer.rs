//! Aligned memory that a run works in.

use crate::Real;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Elements that start at a multiple of 64 bytes. Every page has been written, so that no page fault falls into a run.
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
    pub const ALIGNMENT: usize = 64;

    /// A buffer of zeros.
    ///
    /// # Panics
    /// If the size in bytes does not fit the address space.
    pub fn zeroed(len: usize) -> Buffer<T> {
        if len == 0 {
            return Buffer { start: NonNull::dangling(), len };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout has a size above 0.
        let start = unsafe { alloc(layout) }.cast::<T>();
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        // SAFETY: `len` elements were allocated, and zero bytes are the number 0 in every `Real`. The bytes are written rather
        // than taken as zeroed pages from the system, so that every page is there from now on.
        unsafe { start.as_ptr().cast::<u8>().write_bytes(0, layout.size()) };
        Buffer { start, len }
    }

    fn layout(len: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<T>()).expect("a buffer fits the address space");
        Layout::from_size_align(bytes, Self::ALIGNMENT).expect("a buffer fits the address space")
    }
}

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
                let layout = Layout::from_size_align_unchecked(self.len * size_of::<T>(), 64);
                dealloc(self.start.as_ptr().cast(), layout);
            }
        }
    }
}
