// Runs statements on a Trino in this process: RunTrino STATEMENTS.json ANSWERS.json
//
// The first file holds a list of statements. The second gets a list with one answer for each: its
// rows, as lists of texts, or {"error": what Trino said}.

import com.fasterxml.jackson.databind.ObjectMapper;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.testing.StandaloneQueryRunner;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import static io.trino.testing.TestingSession.testSessionBuilder;

public class RunTrino {
    public static void main(String[] args) throws Exception {
        var json = new ObjectMapper();
        var session = testSessionBuilder().setCatalog("lake").setSchema("llm").build();
        var answers = new ArrayList<Object>();
        try (var runner = new StandaloneQueryRunner(session)) {
            runner.installPlugin(new MemoryPlugin());
            runner.createCatalog("lake", "memory", Map.of());
            for (var statement : json.readValue(new File(args[0]), String[].class)) {
                try {
                    var rows = new ArrayList<List<String>>();
                    for (var row : runner.execute(statement)) {
                        rows.add(row.getFields().stream().map(String::valueOf).toList());
                    }
                    answers.add(rows);
                }
                catch (RuntimeException error) {
                    answers.add(Map.of("error", String.valueOf(error.getMessage())));
                }
            }
        }
        json.writeValue(new File(args[1]), answers);
        System.exit(0);
    }
}
