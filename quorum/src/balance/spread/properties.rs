//! What holds of every plan, on clusters by chance.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::board::Board;
use super::super::even::{Resource, above_limits};
use super::super::testing::{carry_out, cluster, fence, measured};
use super::super::{Disk, Survey, evacuate};
use super::*;

const RACKS: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];

/// What places a partition's replicas, and its bytes, bytes in and bytes out.
type Drawn = ([u8; 3], (u64, u64, u64));

/// Brokers, where each partition's replicas are, its weight, and a broker that is down.
#[derive(Debug, Clone)]
struct World {
    image: MetadataImage,
    survey: Survey,
}

fn world() -> impl Strategy<Value = World> {
    let brokers = prop::collection::vec(0..RACKS.len(), 1..7);
    let weight = (0..8_u64, 0..8_u64, 0..8_u64).prop_map(|(bytes, bytes_in, bytes_out)| {
        // Some far above the floors, some below, some alike.
        (bytes.pow(3) << 29, bytes_in.pow(3) << 17, bytes_out.pow(4) << 15)
    });
    let partitions = prop::collection::vec((any::<[u8; 3]>(), weight), 0..40);
    (brokers, partitions, 1..4_usize, any::<Option<u8>>()).prop_map(
        |(racks, partitions, factor, down)| {
            let brokers: Vec<(i32, Option<&str>)> =
                (0..).zip(racks.iter().map(|rack| RACKS[*rack])).collect();
            let factor = factor.min(brokers.len());
            let image = cluster(&brokers, partitions.len(), factor);
            let image = scatter(&image, &brokers, factor, &partitions);
            let weights: Vec<_> = partitions.iter().map(|(_, weight)| *weight).collect();
            let survey = measured(&image, &weights);
            let image = match down {
                Some(which) => fence(&image, i32::from(which) % brokers.len() as i32),
                None => image,
            };
            World { image, survey }
        },
    )
}

/// Every partition's replicas anywhere.
fn scatter(
    image: &MetadataImage,
    brokers: &[(i32, Option<&str>)],
    factor: usize,
    partitions: &[Drawn],
) -> MetadataImage {
    let mut plan = Plan::default();
    for (index, (seed, _)) in (0..).zip(partitions) {
        let mut free: Vec<i32> = brokers.iter().map(|(id, _)| *id).collect();
        // Squared: some brokers get more than others.
        let place = |seed: u8, free: usize| usize::from(seed).pow(2) / 256 * free / 256;
        let replicas = seed.iter().take(factor).map(|seed| free.remove(place(*seed, free.len())));
        plan.moves.push(crate::controller::Reassignment {
            topic: "t".into(),
            partition: index,
            replicas: Some(replicas.collect()),
        });
    }
    carry_out(image, &plan)
}

/// What a plan lowers: the first that differs counts.
fn measure(world: &World) -> [u128; 5] {
    let board = Board::of(&world.image, &world.survey, 0);
    let squares = |of: fn(&super::super::load::Load) -> usize| {
        board.loads.brokers.values().map(|load| (of(load) as u128).pow(2)).sum()
    };
    [
        squares(|load| load.replicas),
        above_limits(&board, Resource::Disk),
        above_limits(&board, Resource::BytesIn),
        squares(|load| load.preferred),
        above_limits(&board, Resource::BytesOut),
    ]
}

fn racks(image: &MetadataImage, partition: i32) -> usize {
    let replicas = &image.partition("t", partition).unwrap().replicas;
    let racks = replicas.iter().filter_map(|id| image.broker(*id)?.rack.clone());
    racks.collect::<BTreeSet<_>>().len()
}

fn carried_out(world: &World, plan: &Plan) -> World {
    World { image: carry_out(&world.image, plan), survey: world.survey.clone() }
}

/// Bytes that a plan brings to each broker.
fn brought(world: &World, plan: &Plan) -> BTreeMap<i32, u64> {
    let id = world.image.topic("t").unwrap().id;
    let mut brought = BTreeMap::new();
    for planned in &plan.moves {
        let bytes = world.survey.sizes.get(&(id, planned.partition)).copied().unwrap_or(0);
        let before = &world.image.partition("t", planned.partition).unwrap().replicas;
        for new in planned.replicas.iter().flatten().filter(|id| !before.contains(id)) {
            *brought.entry(*new).or_default() += bytes;
        }
    }
    brought
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_made_on_the_result_of_a_whole_plan_is_empty(world in world()) {
        let plan = spread(&world.image, &world.survey, 10_000);
        let after = carried_out(&world, &plan);
        prop_assert_eq!(spread(&after.image, &after.survey, 10_000), Plan::default());
    }

    #[test]
    fn every_plan_lowers_the_measure_and_some_day_there_is_none(
        world in world(), at_a_time in 1..6_usize
    ) {
        let mut world = world;
        for round in 0.. {
            prop_assert!(round < 1_000, "it does not end");
            let plan = spread(&world.image, &world.survey, at_a_time);
            prop_assert!(plan.moves.len() <= at_a_time);
            if plan.moves.is_empty() {
                break;
            }
            let after = carried_out(&world, &plan);
            prop_assert!(measure(&after) < measure(&world), "{plan:?}");
            world = after;
        }
    }

    #[test]
    fn no_partition_is_on_fewer_racks_or_has_another_number_of_replicas(world in world()) {
        let plan = spread(&world.image, &world.survey, 10_000);
        let after = carried_out(&world, &plan);
        for planned in &plan.moves {
            let partition = planned.partition;
            prop_assert!(racks(&after.image, partition) >= racks(&world.image, partition));
            let replicas = |image: &MetadataImage| image.partition("t", partition).unwrap().replicas.len();
            prop_assert_eq!(replicas(&after.image), replicas(&world.image));
            let unique: BTreeSet<_> = planned.replicas.iter().flatten().collect();
            prop_assert_eq!(unique.len(), replicas(&world.image));
        }
    }

    #[test]
    fn bytes_are_those_that_are_copied_and_fit(world in world(), rooms in prop::collection::vec(0..200_u64, 7)) {
        let disks = (0..).zip(rooms).map(|(id, room)| {
            (id, Disk { total: 1 << 40, usable: (10 + room) << 30, coming: 0 })
        });
        let mut world = world;
        world.survey.disks = disks.collect();
        for plan in [
            spread(&world.image, &world.survey, 10_000),
            evacuate(&world.image, &world.survey, &[0], 10_000),
        ] {
            let brought = brought(&world, &plan);
            prop_assert_eq!(brought.values().sum::<u64>(), plan.bytes);
            for (broker, bytes) in brought {
                let disk = world.survey.disks[&broker];
                prop_assert!(disk.usable - bytes >= disk.headroom(), "broker {broker}: {bytes} of {disk:?}");
            }
        }
    }
}
