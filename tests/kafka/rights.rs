//! Grants rights on a broker that has an authorizer; the wrapper has no method for it.

use std::ffi::CString;
use std::ptr;

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, Producer};

use super::Broker;

/// What a right is on: the name, or what a name begins with.
#[derive(Clone, Copy, Debug)]
pub enum On<'a> {
    Topic(&'a str),
    Group(&'a str),
    TransactionalIdsThatBegin(&'a str),
}

#[derive(Clone, Copy, Debug)]
pub enum Right {
    Read,
    Write,
    Alter,
    Describe,
}

impl Broker {
    /// Lets a user do something; returns when the broker has taken it.
    pub fn allow(&self, user: &str, right: Right, on: On<'_>) {
        use sys::rd_kafka_ResourcePatternType_t::{
            RD_KAFKA_RESOURCE_PATTERN_LITERAL, RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
        };
        use sys::rd_kafka_ResourceType_t as Kind;
        let (kind, name, pattern) = match on {
            On::Topic(name) => (Kind::RD_KAFKA_RESOURCE_TOPIC, name, RD_KAFKA_RESOURCE_PATTERN_LITERAL),
            On::Group(name) => (Kind::RD_KAFKA_RESOURCE_GROUP, name, RD_KAFKA_RESOURCE_PATTERN_LITERAL),
            On::TransactionalIdsThatBegin(name) => {
                (Kind::RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, name, RD_KAFKA_RESOURCE_PATTERN_PREFIXED)
            }
        };
        let operation = match right {
            Right::Read => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ,
            Right::Write => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE,
            Right::Alter => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_ALTER,
            Right::Describe => sys::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_DESCRIBE,
        };
        let text = |text: &str| CString::new(text).expect("no NUL");
        let (name, principal, host) = (text(name), text(&format!("User:{user}")), text("*"));
        let config: ClientConfig = self.client_config();
        let client: BaseProducer = config.create().expect("a client");
        let rk = client.client().native_ptr();
        // SAFETY: the client lives to the end of the block; texts are copied; what is made here is destroyed here, the
        // event last, because the results belong to it.
        unsafe {
            let allow = sys::rd_kafka_AclPermissionType_t::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW;
            let (name, principal, host) = (name.as_ptr(), principal.as_ptr(), host.as_ptr());
            let mut acl = sys::rd_kafka_AclBinding_new(
                kind,
                name,
                pattern,
                principal,
                host,
                operation,
                allow,
                ptr::null_mut(),
                0,
            );
            assert!(!acl.is_null(), "{right:?} {on:?}");
            let queue = sys::rd_kafka_queue_new(rk);
            sys::rd_kafka_CreateAcls(rk, &mut acl, 1, ptr::null(), queue);
            let event = sys::rd_kafka_queue_poll(queue, 30_000);
            assert!(!event.is_null(), "no answer to {right:?} {on:?}");
            assert_eq!(sys::rd_kafka_event_error(event) as i32, 0, "{right:?} {on:?}");
            let results = sys::rd_kafka_event_CreateAcls_result(event);
            let mut count = 0;
            let first = *sys::rd_kafka_CreateAcls_result_acls(results, &mut count);
            assert_eq!(count, 1);
            assert!(sys::rd_kafka_acl_result_error(first).is_null(), "refused: {right:?} {on:?}");
            sys::rd_kafka_event_destroy(event);
            sys::rd_kafka_AclBinding_destroy(acl);
            sys::rd_kafka_queue_destroy(queue);
        }
    }
}
