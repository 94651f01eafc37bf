// A dataset with Nextflow: nextflow run main.nf --recipe $PWD/recipe.json --out $PWD/twin
// The dataset lies at an absolute path that all machines see; tasks do not copy it.
params.recipe = "$PWD/recipe.json"
params.out = "$PWD/twin"
params.shards = 8

process shard {
    errorStrategy 'retry'
    maxRetries 3
    input:
    val number
    output: val number
    script:
    "napari-pixcell dataset make '${params.recipe}' --out '${params.out}' --shard ${number}/${params.shards}"
}

process join {
    input: val shards
    script: "napari-pixcell dataset join '${params.out}'"
}

workflow {
    shard(Channel.of(0..<params.shards))
    join(shard.out.collect())
}
