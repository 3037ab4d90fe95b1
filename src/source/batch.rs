//! Batch consumption: the only file with `unsafe`, because the bindings offer messages one by one only.
//!
//! A batch costs less than half the CPU of per-message polling. It works on a queue of our own to which the queues of
//! assigned partitions are forwarded; on the main queue it would swallow rebalances.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as ffi;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// Messages taken at once: enough to make the call's cost vanish, few enough to stay in the caches.
pub const MAX_BATCH: usize = 1024;

/// The queue that all assigned partitions of one consumer are forwarded to.
///
/// It owns its buffer, so taking a batch allocates nothing.
pub struct BatchQueue<C: ConsumerContext> {
    queue: NonNull<ffi::rd_kafka_queue_t>,
    buffer: Vec<*mut ffi::rd_kafka_message_t>,
    // After `queue`: fields drop in this order, and `drop` below destroys the queue first anyway.
    consumer: Arc<BaseConsumer<C>>,
}

impl<C: ConsumerContext> BatchQueue<C> {
    /// A queue for the consumer; nothing is forwarded to it yet.
    ///
    /// `None` if librdkafka gives no queue, which it does only without memory.
    pub fn new(consumer: Arc<BaseConsumer<C>>) -> Option<Self> {
        // SAFETY: the client pointer is valid while `consumer` lives, and `Self` keeps it alive.
        let queue = unsafe { ffi::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Some(Self { queue: NonNull::new(queue)?, buffer: Vec::with_capacity(MAX_BATCH), consumer })
    }

    /// Sends what is fetched of one partition here. To be called before each assignment of it: the end of an
    /// assignment ends the forwarding. `false` if there is no such partition.
    pub fn forward(&self, topic: &CStr, partition: Partition) -> bool {
        let client = self.consumer.client().native_ptr();
        // SAFETY: `client` and `self.queue` are valid while `self` lives; `topic` is a C string; the reference that
        // `get_partition` gives is released here, the forwarding holds its own.
        unsafe {
            let from = ffi::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition.0);
            if from.is_null() {
                return false;
            }
            ffi::rd_kafka_queue_forward(from, self.queue.as_ptr());
            ffi::rd_kafka_queue_destroy(from);
        }
        true
    }

    /// Takes what is there, at most [`MAX_BATCH`] messages, and at most what was asked for.
    ///
    /// librdkafka waits until `at_most` messages are there or the time is over; so to wait for the next message ask
    /// for one, and to take what is there wait 0 ms.
    pub fn take(&mut self, at_most: usize, wait_ms: i32) -> Batch<'_> {
        let size = at_most.min(MAX_BATCH);
        // SAFETY: the buffer is empty and has room for `MAX_BATCH >= size` pointers; librdkafka writes `count <= size`
        // of them, and each is a message that we own until it is destroyed, which `Batch` does.
        unsafe {
            let count = ffi::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait_ms, self.buffer.as_mut_ptr(), size);
            self.buffer.set_len(usize::try_from(count).unwrap_or(0));
        }
        Batch { messages: &mut self.buffer }
    }

    /// The newest known end of a partition's log (its high watermark, unaffected by open transactions), as the last
    /// fetch told it; `None` before the first one. No network.
    pub fn known_end(&self, topic: &CStr, partition: Partition) -> Option<Offset> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is valid while `self` lives, `topic` is a C string, both results are written before return.
        let result = unsafe {
            ffi::rd_kafka_get_watermark_offsets(
                self.consumer.client().native_ptr(),
                topic.as_ptr(),
                partition.0,
                &mut low,
                &mut high,
            )
        };
        (result == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(Offset(high))
    }
}

impl<C: ConsumerContext> Drop for BatchQueue<C> {
    fn drop(&mut self) {
        // SAFETY: our own reference, given up once; the client is still alive.
        unsafe { ffi::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// The messages of one call; given back to librdkafka when dropped.
pub struct Batch<'a> {
    messages: &'a mut Vec<*mut ffi::rd_kafka_message_t>,
}

impl Batch<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Polled<'_>> {
        self.messages.iter().map(|message| {
            // SAFETY: not null, and valid until `Batch` is dropped, which the borrow excludes.
            let message = unsafe { &**message };
            match message.err {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Polled::Message(Message { message }),
                error => Polled::Fault(Partition(message.partition), error.into(), Offset(message.offset)),
            }
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: owned by us since `take`, destroyed once, as `drain` removes it.
            unsafe { ffi::rd_kafka_message_destroy(message) }
        }
    }
}

/// One entry of a batch.
pub enum Polled<'a> {
    /// A record.
    Message(Message<'a>),
    /// What the consumer has to say about a partition, and the offset that it is about: offset out of range, end of
    /// partition, a broken batch.
    Fault(Partition, RDKafkaErrorCode, Offset),
}

/// A consumed record; it lives in librdkafka's memory.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    message: &'a ffi::rd_kafka_message_t,
}

impl<'a> Message<'a> {
    /// Where it came from.
    pub fn partition(self) -> Partition {
        Partition(self.message.partition)
    }

    /// Its own offset.
    pub fn offset(self) -> Offset {
        Offset(self.message.offset)
    }

    /// Its value; `None` is a tombstone.
    pub fn value(self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka's pointer and length of the value, valid as long as the message.
        unsafe { bytes(self.message.payload.cast(), self.message.len) }
    }

    /// Its key.
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: librdkafka's pointer and length of the key, valid as long as the message.
        unsafe { bytes(self.message.key.cast(), self.message.key_len) }
    }

    /// Its timestamp, whichever of the two kinds; `None` if it has none (-1).
    pub fn time(self) -> Option<Timestamp> {
        let mut kind = ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid, the kind is written before return.
        let ms = unsafe { ffi::rd_kafka_message_timestamp(self.message, &mut kind) };
        (ms >= 0).then_some(Timestamp::from_millis(ms))
    }

    /// Shows its headers in order; costs next to nothing if it has none.
    pub fn each_header(self, mut show: impl FnMut(&'a [u8], Option<&'a [u8]>)) {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid; the headers, their names (C strings) and values live as long as it does.
        unsafe {
            let result = ffi::rd_kafka_message_headers(self.message, &mut headers);
            if result != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            for index in 0.. {
                let mut name: *const c_char = ptr::null();
                let (mut value, mut size) = (ptr::null(), 0);
                let result = ffi::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size);
                if result != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                    return;
                }
                show(CStr::from_ptr(name).to_bytes(), bytes(value.cast(), size));
            }
        }
    }
}

/// # Safety
/// `start`, unless null, must point to `size` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const u8, size: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, size) })
}

/// A topic's name for the calls above.
///
/// `None` if the name holds a NUL, which no topic can.
pub fn c_name(topic: &str) -> Option<CString> {
    CString::new(topic).ok()
}
