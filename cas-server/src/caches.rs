//! What the caches of a store's objects count, among the server's numbers.

use std::fmt;

use cas_core::store::{Cache, CacheStats, MemoryCache};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The caches that a served store is read through, for their numbers.
#[derive(Debug, Clone, Default)]
pub struct Caches {
    /// Small objects in memory.
    pub memory: Option<MemoryCache>,
    /// Objects on disk, for a store behind a network.
    pub disk: Option<Cache>,
}

impl Caches {
    fn stats(&self) -> impl Iterator<Item = (&'static str, CacheStats)> {
        let memory = self.memory.as_ref().map(|cache| ("memory", cache.stats()));
        let disk = self.disk.as_ref().map(|cache| ("disk", cache.stats()));
        memory.into_iter().chain(disk)
    }
}

impl Collector for Caches {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        type Read = fn(&CacheStats) -> u64;
        let counters: [(&str, &str, Read); 2] = [
            ("cache_hits", "Objects that a cache had", |stats| stats.hits),
            ("cache_misses", "Objects that a cache had not", |stats| stats.misses),
        ];
        for (name, help, read) in counters {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (cache, stats) in self.stats() {
                let labels = [("cache", cache)];
                ConstCounter::new(read(&stats)).encode(metric.encode_family(&labels)?)?;
            }
        }
        if let Some(memory) = &self.memory {
            let help = "Bytes of objects in memory";
            let bytes = i64::try_from(memory.bytes()).unwrap_or(i64::MAX);
            let gauge = ConstGauge::new(bytes);
            let name = "cache_memory_bytes";
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cas_core::env::Env;
    use cas_core::name::BlobId;
    use cas_core::store::{Location, Store, Variables, connect};
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[tokio::test]
    async fn numbers_of_caches_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let caches = Caches {
            memory: Some(MemoryCache::new(1 << 20)),
            disk: Some(Cache::open(folder.path(), 1 << 20).unwrap()),
        };
        let bucket = connect(&Location::Memory, true, &Variables::new()).unwrap().bucket;
        let (memory, disk) = (caches.memory.clone().unwrap(), caches.disk.clone().unwrap());
        let store = Store::in_bucket(&bucket, &Env::system()).cached(disk).cached_in_memory(memory);
        let session = store.session().await.unwrap();
        session.put_blob(Bytes::from_static(b"a")).await.unwrap();
        session.publish().await.unwrap();
        for _ in 0..3 {
            store.get_blob(&BlobId::of(b"a")).await.unwrap();
        }
        let mut registry = Registry::with_prefix("cas");
        registry.register_collector(Box::new(caches.clone()));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "cas_cache_hits_total{cache=\"memory\"} 2\n",
            "cas_cache_misses_total{cache=\"memory\"} 1\n",
            "cas_cache_hits_total{cache=\"disk\"} 0\n",
            "cas_cache_misses_total{cache=\"disk\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        let bytes = caches.memory.unwrap().bytes();
        assert!(text.contains(&format!("\ncas_cache_memory_bytes {bytes}\n")), "{text}");
    }
}
