//! The engine: a chain of steps run together, band by band.
//!
//! A band of result rows asks the last step which source rows it needs, that step asks the one before, and so
//! on up to the picture: what lies between is never there as a whole. Each step keeps the rows that the next
//! band needs again, so nothing is computed twice. The result is cut into stripes, which the threads of the
//! current rayon pool take one after the other, each with rows of its own in between. Where the cuts lie does
//! not show: coordinates are global, and each row depends on its step's source rows alone.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use rayon::prelude::*;

use crate::blur::Memory;
use crate::error::FilterError;
use crate::plan::{Depth, Plan};
use crate::raster::{Raster, Samples, Shape};
use crate::survey::Survey;
use crate::view::View;

/// Fewest rows of a band. Bands of all steps together should fit a second-level cache.
const BAND_ROWS_MIN: u32 = 32;

/// How the result is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Rows of a band.
    pub band: u32,
    /// Rows of a stripe.
    pub stripe: u32,
}

impl Cut {
    /// A cut for this many threads, in bands of so many rows or of as many as suit the caches.
    fn new(plans: &[Plan], threads: usize, band: Option<u32>) -> Cut {
        let height = result(plans).height;
        let radius = |plan: &Plan| plan.radius();
        let largest = plans.iter().map(radius).max().unwrap_or(0);
        let halo: u32 = plans.iter().map(radius).fold(0, u32::saturating_add);
        // A kernel that sums up columns begins anew with each band, so bands are high where it reaches far.
        let band = band
            .unwrap_or(BAND_ROWS_MIN.max(largest.saturating_mul(2)))
            .max(1);
        // Some stripes a thread even out what threads do not get done; the halo of each is done twice.
        let stripes = if threads > 1 {
            (threads as u32).saturating_mul(4)
        } else {
            1
        };
        let stripe = height.div_ceil(stripes).max(band).max(halo.saturating_mul(4));
        Cut { band, stripe }
    }
}

/// The shape that the chain makes. There is at least one step.
fn result(plans: &[Plan]) -> Shape {
    plans[plans.len() - 1].shape()
}

/// Applies `plans`, each made for the shape that the one before it gives, in bands of `band` rows or of as many
/// as suit the caches. `tell` hears how many rows of the last one's result are done, and may break.
pub(crate) fn run(
    plans: &[Plan],
    source: &Raster,
    band: Option<u32>,
    tell: &mut dyn FnMut(u32) -> ControlFlow<()>,
) -> Result<Raster, FilterError> {
    let cut = Cut::new(plans, rayon::current_num_threads(), band);
    let samples = match &source.samples {
        Samples::U8(samples) => Samples::U8(run_cut(plans, samples, cut, tell)?),
        Samples::U16(samples) => Samples::U16(run_cut(plans, samples, cut, tell)?),
    };
    let Shape {
        width,
        height,
        channels,
    } = result(plans);
    Ok(Raster {
        width,
        height,
        channels,
        samples,
    })
}

/// Lets a step that needs it see all of its source first. `tell` hears of no rows, and may break.
pub(crate) fn survey(
    plan: &mut Plan,
    source: &Raster,
    tell: &mut dyn FnMut(u32) -> ControlFlow<()>,
) -> Result<(), FilterError> {
    let threads = rayon::current_num_threads();
    let survey = match &source.samples {
        Samples::U8(samples) => survey_cut(plan, samples, threads, tell)?,
        Samples::U16(samples) => survey_cut(plan, samples, threads, tell)?,
    };
    if let Some(survey) = survey {
        plan.learn(&survey);
    }
    Ok(())
}

/// One survey for each thread, of every so manieth band; their sum does not depend on the cut.
fn survey_cut<T: Depth>(
    plan: &Plan,
    samples: &[T],
    threads: usize,
    tell: &mut dyn FnMut(u32) -> ControlFlow<()>,
) -> Result<Option<Survey>, FilterError> {
    let shape = plan.source();
    let source = View::new(shape, 0, samples);
    let mut parts: Vec<Survey> = (0..threads).map_while(|_| plan.survey()).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    for start in (0..shape.height).step_by(BAND_ROWS_MIN as usize * threads) {
        let starts = (start..shape.height).step_by(BAND_ROWS_MIN as usize);
        let mut bands: Vec<_> = parts.iter_mut().zip(starts).collect();
        bands.par_iter_mut().for_each(|(part, start)| {
            Plan::add_fast(part, &source, *start..shape.height.min(*start + BAND_ROWS_MIN));
        });
        if tell(0).is_break() {
            return Err(FilterError::Cancelled);
        }
    }
    Ok(parts.into_iter().reduce(|mut sum, part| {
        sum.merge(&part);
        sum
    }))
}

fn run_cut<T: Depth>(
    plans: &[Plan],
    source: &[T],
    cut: Cut,
    tell: &mut dyn FnMut(u32) -> ControlFlow<()>,
) -> Result<Vec<T>, FilterError> {
    let shape = result(plans);
    let (height, len) = (shape.height, shape.row_len());
    if cut.stripe >= height {
        return run_whole(plans, source, cut.band, tell);
    }
    let mut out = vec![T::default(); len * height as usize];
    let starts = (0..height).step_by(cut.stripe as usize);
    let stripes = out.chunks_mut(cut.stripe as usize * len).zip(starts);
    let threads = rayon::current_num_threads().min(stripes.len());
    let work = Work {
        plans,
        source: View::new(plans[0].source(), 0, source),
        band: cut.band as usize,
        stripes: Mutex::new(stripes),
        cancelled: AtomicBool::new(false),
    };
    let (sender, receiver) = mpsc::channel();
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            let (work, teller) = (&work, Teller(&work.cancelled, sender.clone()));
            scope.spawn(move |_| work.run(|rows| teller.tell(rows)));
        }
        // Gives whether there is more to come.
        let mut done = 0;
        let mut hear = |rows: u32| {
            done += rows + receiver.try_iter().sum::<u32>();
            if tell(done).is_break() {
                work.cancelled.store(true, Ordering::Relaxed);
            }
            done < height && !work.cancelled.load(Ordering::Relaxed)
        };
        let mut more = true;
        work.run(|rows| more = hear(rows));
        // What is left is in the hands of others.
        while more {
            more = receiver.recv().is_ok_and(&mut hear);
        }
    });
    if work.cancelled.into_inner() {
        return Err(FilterError::Cancelled);
    }
    Ok(out)
}

/// [`run_cut`] with a single stripe, of which each band is made room for when its turn comes: the zeros written
/// there are still in the cache when the kernel writes over them.
fn run_whole<T: Depth>(
    plans: &[Plan],
    source: &[T],
    band: u32,
    tell: &mut dyn FnMut(u32) -> ControlFlow<()>,
) -> Result<Vec<T>, FilterError> {
    let shape = result(plans);
    let (height, len) = (shape.height, shape.row_len());
    let mut stages: Vec<Stage<T>> = plans.iter().map(Stage::new).collect();
    let source = View::new(plans[0].source(), 0, source);
    let mut out = Vec::with_capacity(len * height as usize);
    for start in (0..height).step_by(band as usize) {
        let rows = start..start.saturating_add(band).min(height);
        out.resize(rows.end as usize * len, T::default());
        pull(
            &mut stages,
            &source,
            rows.clone(),
            &mut out[start as usize * len..],
        );
        if tell(rows.end).is_break() {
            return Err(FilterError::Cancelled);
        }
    }
    Ok(out)
}

/// Stripes of one picture, for any number of threads.
struct Work<'a, T, I> {
    plans: &'a [Plan],
    source: View<'a, T>,
    /// Rows.
    band: usize,
    /// Those that nobody has taken: where the result goes, and its first row.
    stripes: Mutex<I>,
    cancelled: AtomicBool,
}

impl<'a, T: Depth, I: Iterator<Item = (&'a mut [T], u32)>> Work<'a, T, I> {
    /// Makes stripes, each to its end, until there are no more. `made` hears of the rows of each band.
    fn run(&self, mut made: impl FnMut(u32)) {
        let len = result(self.plans).row_len();
        let mut stages: Vec<Stage<T>> = self.plans.iter().map(Stage::new).collect();
        loop {
            let next = self.stripes.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((out, mut start)) = next else { return };
            for band in out.chunks_mut(self.band * len) {
                if self.cancelled.load(Ordering::Relaxed) {
                    return;
                }
                let rows = start..start + (band.len() / len) as u32;
                start = rows.end;
                pull(&mut stages, &self.source, rows.clone(), band);
                made(rows.len() as u32);
            }
        }
    }
}

/// Tells the caller's thread of rows that were made on another; if that panics it ends all.
struct Teller<'a>(&'a AtomicBool, mpsc::Sender<u32>);

impl Teller<'_> {
    fn tell(&self, rows: u32) {
        self.1
            .send(rows)
            .expect("the caller listens until all threads are done");
    }
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
            self.tell(0);
        }
    }
}

/// A step with the source rows it holds.
struct Stage<'a, T: Depth> {
    plan: &'a Plan,
    held: Range<u32>,
    samples: Vec<T>,
    memory: Memory<T>,
}

impl<'a, T: Depth> Stage<'a, T> {
    fn new(plan: &'a Plan) -> Stage<'a, T> {
        Stage {
            plan,
            held: 0..0,
            samples: Vec::new(),
            memory: Memory::default(),
        }
    }

    /// Drops the held rows that `needs` does not begin with and makes room for those that lack: these are
    /// given back.
    fn hold(&mut self, needs: Range<u32>) -> (Range<u32>, &mut [T]) {
        let len = self.plan.source().row_len();
        let kept = if self.held.contains(&needs.start) {
            needs.start..self.held.end.min(needs.end)
        } else {
            needs.start..needs.start
        };
        let from = (kept.start.saturating_sub(self.held.start)) as usize * len;
        let kept_len = kept.len() * len;
        if kept_len > 0 {
            self.samples.copy_within(from..from + kept_len, 0);
        }
        self.samples.resize(needs.len() * len, T::default());
        self.held = needs.clone();
        (kept.end..needs.end, &mut self.samples[kept_len..])
    }
}

/// Makes the rows `rows` of the last stage's result.
fn pull<T: Depth>(stages: &mut [Stage<T>], source: &View<T>, rows: Range<u32>, out: &mut [T]) {
    let Some((stage, before)) = stages.split_last_mut() else {
        return out.copy_from_slice(source.rows(rows));
    };
    if before.is_empty() {
        return stage.plan.band_fast(source, rows, &mut stage.memory, out);
    }
    let (lacks, room) = stage.hold(stage.plan.source_rows(rows.clone()));
    if !lacks.is_empty() {
        pull(before, source, lacks, room);
    }
    let view = View::new(stage.plan.source(), stage.held.start, &stage.samples);
    stage.plan.band_fast(&view, rows, &mut stage.memory, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::raster::Channels;
    use crate::step::Step;

    const STEPS: &[&str] = &[
        "sepia",
        "grayscale",
        "invert",
        "blur:0.7",
        "blur:3",
        "blur:9",
        "sharpen:2,1.5",
        "edges",
        "rotate:180",
        "rotate:90",
        "crop:1,1,1,2",
        "resize:13x17",
        "box:4",
        "pencil:0.9",
        "levels:30,200,0.7",
    ];

    fn plans(steps: &[&str], mut shape: Shape, bits: u8) -> Vec<Plan> {
        let mut plans = Vec::new();
        for step in steps {
            let plan = Plan::new(Step::parse(step).unwrap(), shape, bits);
            // A crop that no longer fits is left out.
            if let Ok(plan) = plan {
                shape = plan.shape();
                plans.push(plan);
            }
        }
        plans
    }

    fn cut_does_not_show<T>(plans: &[Plan], samples: &[T], cut: Cut)
    where
        T: Depth + PartialEq + std::fmt::Debug,
    {
        let mut goes_on = |_| ControlFlow::Continue(());
        let mut whole = samples.to_vec();
        for plan in plans {
            let shape = plan.shape();
            let mut result = vec![T::default(); shape.row_len() * shape.height as usize];
            let view = View::new(plan.source(), 0, &whole);
            plan.band(&view, 0..shape.height, &mut Memory::default(), &mut result);
            whole = result;
        }
        assert_eq!(
            run_cut(plans, samples, cut, &mut goes_on).unwrap(),
            whole,
            "{cut:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        // Whatever the height of bands and stripes, on however many threads, and compiled for the newest or
        // the oldest processor, a chain gives what its steps give one after the other in one piece.
        #[test]
        fn a_chain_in_pieces_is_its_steps_in_one_piece(
            steps in prop::collection::vec(prop::sample::select(STEPS), 1..5),
            (width, height) in (2..80_u32, 3..60_u32),
            channels in prop::sample::select(vec![
                Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba,
            ]),
            (band, stripe) in (1..40_u32, 1..40_u32),
            seed in any::<u64>(),
        ) {
            let shape = Shape { width, height, channels };
            let [eight, sixteen] = [8, 16].map(|bits| plans(&steps, shape, bits));
            prop_assume!(!eight.is_empty());
            let len = shape.row_len() * height as usize;
            let noise = (0..len as u64).map(|i| (i ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
            let cut = Cut { band, stripe };
            cut_does_not_show(&eight, &noise.clone().map(|n| n as u8).collect::<Vec<_>>(), cut);
            cut_does_not_show(&sixteen, &noise.map(|n| n as u16).collect::<Vec<_>>(), cut);
        }
    }
}
