//! Gossip between whole nets.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nets_gossip_both_ways() {
    let (mut a, mut b) = pair(1, 2).await;
    a.net.publish(album(1), b"from a".to_vec()).await.unwrap();
    assert_eq!(b.gossip().await, (album(1), a.key(), b"from a".to_vec()));
    b.net.publish(album(1), b"from b".to_vec()).await.unwrap();
    assert_eq!(a.gossip().await, (album(1), b.key(), b"from b".to_vec()));
    let link = &a.net.links()[0];
    assert!(link.dialled && link.peer == b.key() && link.bytes_in > 0 && link.bytes_out > 0);
    a.net.shutdown().await;
    assert!(b.unlinked(a.keys.public()).await.contains("shutting down"));
    assert_eq!(std::fs::read_dir(a.folder.path().join("ipc")).unwrap().count(), 0);
}
