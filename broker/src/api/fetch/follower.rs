//! A fetch that another broker's replica sends: what it says of that replica.

use protocol::messages::{FetchRequest, FetchResponse};
use replica::Registration;

use super::{Fetch, RACK_VERSION, part};
use crate::context::{Broker, RequestContext};
use crate::partition::Reader;

/// Who asks, and what the metadata knows of it.
pub(super) fn reader(broker: &Broker, ctx: &RequestContext, request: &FetchRequest) -> Reader {
    let state = &request.replica_state;
    let id = request.replica_id.max(state.replica_id);
    if id < 0 {
        return Reader::Consumer { from_follower: ctx.api_version >= RACK_VERSION };
    }
    let image = broker.image();
    let registered = image.broker(id);
    Reader::Follower {
        id,
        broker_epoch: state.replica_epoch,
        registered: registered.map(|b| Registration { epoch: b.epoch, in_service: b.is_active() }),
        monotonic_ms: broker.clock.monotonic_ms() as i64,
    }
}

impl Fetch {
    /// Takes a follower's fetch as its state: once, not again while it is waited for records.
    pub(super) fn note_follower(&mut self) {
        if !matches!(self.reader, Reader::Follower { .. }) {
            return;
        }
        let view = self.broker.partitions.view();
        let mut noted = Vec::new();
        let mut may_join = false;
        // A watermark goes along with the next records: answering for it alone would double the rounds (KAFKA-9731). Only
        // consumers that read from followers wait for it.
        let tells_at_once = self.broker.reads_near;
        for topic in &self.request.topics {
            let hosted = self.find(&view, topic);
            for wanted in &topic.partitions {
                let found = hosted.and_then(|topic| topic.partition(wanted.partition));
                noted.push(found.and_then(|partition| {
                    let request = part(wanted, self.reader, 0, 0);
                    let taken = partition.note_follower(&request).map_err(|error| error.code())?;
                    may_join |= taken.may_join;
                    Ok(taken.has_news && tells_at_once)
                }));
            }
        }
        if may_join {
            self.broker.partitions.isr_wanted().notify_one();
        }
        self.noted = noted;
    }

    /// A follower learns from the response how far records are committed.
    pub(super) fn tell_follower(&self, id: i32, response: &FetchResponse) {
        let view = self.broker.partitions.view();
        for (asked, topic) in self.request.topics.iter().zip(&response.responses) {
            let Ok(hosted) = self.find(&view, asked) else { continue };
            for data in topic.partitions.iter().filter(|data| data.high_watermark >= 0) {
                if let Ok(partition) = hosted.partition(data.partition_index) {
                    partition.told_follower(id, data.high_watermark);
                }
            }
        }
    }
}
