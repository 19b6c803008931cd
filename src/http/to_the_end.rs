//! Work for a request that is done to its end, whether or not the caller waits for it.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, CatchUnwind};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tracing::Instrument;

/// Work on behalf of a request. As long as its caller waits, the thread that serves the request does it, so that none has to be
/// woken for it; once the caller has gone and this is dropped, the runtime goes on with it. All that it starts or connects to
/// belongs to that runtime from the beginning.
pub struct ToTheEnd<T: Send + 'static> {
    /// `None` once it has ended.
    work: Option<CatchUnwind<AssertUnwindSafe<BoxFuture<'static, T>>>>,
    runtime: Handle,
}

impl<T: Send + 'static> ToTheEnd<T> {
    /// Work in the present span.
    pub fn new(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(AssertUnwindSafe(work.in_current_span().boxed()).catch_unwind()), runtime: runtime.clone() }
    }
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    /// What the work has come to, or what it panicked with.
    type Output = Result<T, Box<dyn Any + Send>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let _within = this.runtime.enter();
        let ended = this.work.as_mut().map_or(Poll::Pending, |work| work.poll_unpin(cx));
        if ended.is_ready() {
            this.work = None;
        }
        ended
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[actix_web::test]
    async fn what_is_left_when_its_caller_has_gone_is_done_on_the_runtime() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let own = runtime.handle().id();
        let ((go_on, may_go_on), (done, is_done)) = (oneshot::channel::<()>(), oneshot::channel());
        let mut work = ToTheEnd::new(runtime.handle(), async move {
            let started_in = tokio::spawn(async { Handle::current().id() }).await.unwrap();
            may_go_on.await.unwrap();
            done.send((started_in, Handle::current().id())).unwrap();
        });
        assert!((&mut work).now_or_never().is_none());
        drop(work);
        go_on.send(()).unwrap();
        assert_eq!(is_done.await.unwrap(), (own, own));
        runtime.shutdown_background();
    }

    #[actix_web::test]
    async fn a_panic_is_told_and_ends_nothing_else() {
        let work = ToTheEnd::new(&Handle::current(), async { panic!("on purpose") });
        assert_eq!(work.await.unwrap_err().downcast_ref(), Some(&"on purpose"));
        assert_eq!(ToTheEnd::new(&Handle::current(), async { 7 }).await.unwrap(), 7);
    }
}
